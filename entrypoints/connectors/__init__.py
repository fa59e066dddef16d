"""The wire contract of connectors (contract connectors 1B): descriptions, instances, clients, and their things."""
