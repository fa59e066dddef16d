"""Read models of metrics: what is current, and what was."""
