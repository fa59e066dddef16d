"""Rules of streams."""
