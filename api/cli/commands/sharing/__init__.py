"""Commands of those who share a cluster."""
