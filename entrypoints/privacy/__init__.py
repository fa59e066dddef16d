"""Privacy over HTTP: forgetting persons (docs/how-to/forget-somebody.md)."""
