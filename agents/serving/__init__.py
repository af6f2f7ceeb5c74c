"""Serving a learned policy: no torch, no simulator."""
