"""Runs of a simulation with policies that preempt."""
