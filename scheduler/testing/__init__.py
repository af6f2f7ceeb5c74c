"""Fakes, and contract suites that every implementation of a port passes."""
