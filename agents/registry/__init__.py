"""Learned policies by name."""
