"""The real servers behind `tidemark up` and the tests: PostgreSQL and NATS, as children that die with us."""
