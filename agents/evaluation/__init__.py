"""Policies compared with each other on simulated workloads."""
