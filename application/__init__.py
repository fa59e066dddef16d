"""Commands, handlers, the command executor, policies and ports."""
