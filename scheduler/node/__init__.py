"""What a machine runs to belong to a cluster."""
