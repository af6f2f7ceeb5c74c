"""The nodes of the cluster: what they are, and on which of them jobs may start."""
