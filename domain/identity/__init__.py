"""Who may act: user accounts."""
