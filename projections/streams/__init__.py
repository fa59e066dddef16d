"""Topics, and the groups that read them."""
