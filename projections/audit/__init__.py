"""Where in the log something is: the index of the audit."""
