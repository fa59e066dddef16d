"""What streams need of PostgreSQL."""
