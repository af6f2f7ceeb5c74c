"""Resources of those who share a cluster."""
