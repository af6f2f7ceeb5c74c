"""Calls of those who share a cluster."""
