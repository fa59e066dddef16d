"""What connectors' services call us back for (contract connectors 2.7.3), with the token of an installation (an
instance of ours) or of an instance (a client)."""
