"""What the service tells those who operate it: lines of a log, and spans of a trace."""
