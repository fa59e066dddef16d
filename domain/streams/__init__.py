"""Topics, their partitions, and the groups that read them (contract streams)."""
