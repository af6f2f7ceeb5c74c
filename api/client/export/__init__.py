"""Files for other programs, from what the service tells."""
