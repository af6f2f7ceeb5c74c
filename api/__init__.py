"""The interfaces of the system: HTTP, command line, Python."""
