"""What `tidemark doctor` looks at: the machine, and the servers of an installation."""
