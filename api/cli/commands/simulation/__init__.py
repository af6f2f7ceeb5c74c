"""Commands about simulated workloads."""
