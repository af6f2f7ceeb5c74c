"""The system's memory: the port and its implementations."""
