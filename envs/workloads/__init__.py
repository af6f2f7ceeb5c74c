"""Workloads: jobs with their true runtimes, drawn from models or read from traces."""
