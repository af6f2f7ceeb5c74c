"""Endpoints about jobs that belong together."""
