"""What a job does in its own process."""
