"""The wire contract of metric reporting (contract metrics 1A): values of metrics, what is current, and its history."""
