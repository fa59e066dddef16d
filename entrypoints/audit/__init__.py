"""The audit over HTTP: what happened, who did it, what came of it (docs/audit.md)."""
