"""The state of the cluster that a decision reads, as values."""
