"""Streams over HTTP: discovery, producer and consumer (contract streams)."""
