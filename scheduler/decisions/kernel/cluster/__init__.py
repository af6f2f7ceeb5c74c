"""Devices: nodes, the attempts that hold them, and when they become free."""
