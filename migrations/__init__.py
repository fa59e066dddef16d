"""Alembic migrations of the log, the read models and their bookkeeping."""
