"""The event log in PostgreSQL, over the eventsourcing library's recorder."""
