"""Torture: a real service under random failures, held against what its jobs say themselves."""
