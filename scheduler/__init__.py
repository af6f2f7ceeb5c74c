"""Fulcrum's domain, its decisions and the live service."""
