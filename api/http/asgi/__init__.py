"""Connections, middleware and routes below the application."""
