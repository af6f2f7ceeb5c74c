"""The simulated cluster (SimPy)."""
