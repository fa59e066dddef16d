"""Streams over HTTP, case by case (contract streams 9)."""
