"""What `fulcrum doctor` looks at."""
