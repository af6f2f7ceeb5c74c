"""Policies: functions from a candidate table to scores."""

SIMULATED = ("conservative", "drf", "easy++", "easy-sjbf", "gavel", "themis")
"""Policies that the simulator knows and the service cannot carry out: they plan for the whole queue
at once, give devices on leases of their own, or prescribe estimates (`envs.baselines.catalogue`).
Named here so that the service can say why it refuses them, and light commands list them."""
