"""Read models of the fleet."""
