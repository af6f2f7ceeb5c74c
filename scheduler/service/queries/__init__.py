"""What the service answers about jobs and the cluster."""
