"""Technologies that are connected for end customers: instances, clients, and the things that clients make."""
