"""Proving that the log is as it was written: leaves, signed checkpoints, and whoever checks them (docs/adr/0021)."""
