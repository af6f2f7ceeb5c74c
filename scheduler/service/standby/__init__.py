"""A service that follows another one and takes over when it ends."""
