"""NATS: the copy of the log that everybody may follow, and the live feed of our own projections."""
