"""Every door into the system: HTTP, command line, Python."""
