"""How good estimated runtimes are when a job is submitted."""
