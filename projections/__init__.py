"""Read models: one file each, with its table, its apply and its queries."""
