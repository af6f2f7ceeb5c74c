"""Preemption: which running attempts are stopped so that other jobs get their devices."""
