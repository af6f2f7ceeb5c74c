"""Where attempts run: the port and its implementations."""
