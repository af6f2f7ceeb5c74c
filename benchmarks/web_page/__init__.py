"""What an open page costs the service."""
