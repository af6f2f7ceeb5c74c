"""How projects share a cluster."""
