"""What streams need of PostgreSQL beside the log and the read models."""
