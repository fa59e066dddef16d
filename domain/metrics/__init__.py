"""Metrics of devices: what is reported, and what becomes of it over time (contract metrics 1.4 to 1.7)."""
