"""Policies that the simulator knows and the service cannot carry out.

They plan for the whole queue at once, give devices on leases, or prescribe estimates
(`envs.baselines.catalogue`). They are named here so that the service can say why it refuses them.
"""

SIMULATED = ("conservative", "drf", "easy++", "easy-sjbf", "gavel", "themis")
