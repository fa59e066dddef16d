"""What linters do not hold: names, sizes, purity, and that the linters' own rules can fail."""
