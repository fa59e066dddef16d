"""The wire contract of Lambda IoT Core: its routes, bodies and errors (contract devices, 1.1 and 1.3)."""
