"""Sweeps from Python."""
