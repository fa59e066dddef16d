"""The fleet: devices, their sensors and actors, and what they report."""
