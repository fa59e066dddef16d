"""Connectors, and the things that they make."""
