"""What must survive: things are killed under load, and then counted. Run one at a time."""
