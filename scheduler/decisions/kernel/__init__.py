"""Decisions, compiled: a world as arrays, and functions that choose in it."""
