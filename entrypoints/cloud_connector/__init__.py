"""The wire contract of the cloud connector: connected devices, what is asked of them, and how the server does."""
