"""How fast: ratios measured in one run against something named. `make bench` runs them; nothing here is shipped."""
