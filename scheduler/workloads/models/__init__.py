"""Network architectures and their weights."""
