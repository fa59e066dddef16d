"""The bodies of requests: silent about unknown fields, strict about the others (contract 1.3)."""
