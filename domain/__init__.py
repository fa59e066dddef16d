"""What happened and what may happen: events, state, decisions. Pure functions, no framework."""
