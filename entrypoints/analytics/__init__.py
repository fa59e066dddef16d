"""Analytics over HTTP: SQL over the log, and the questions that come again and again."""
