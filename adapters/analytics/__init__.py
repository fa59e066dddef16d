"""The log as Parquet, and SQL over it and over what came since, in a process that can do nothing else."""
