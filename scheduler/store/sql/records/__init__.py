"""What the store keeps beside jobs and their attempts: sums of costs, and nodes."""
