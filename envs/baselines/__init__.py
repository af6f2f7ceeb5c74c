"""Policies that only the simulator can run, to compare with."""
