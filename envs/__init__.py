"""The simulated cluster: SimPy inside, Gymnasium outside."""
