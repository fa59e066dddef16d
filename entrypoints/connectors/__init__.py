"""The contract of connectors: descriptions, instances, clients and things (contract connectors 1B)."""
