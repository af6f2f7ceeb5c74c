"""Rounds: from a snapshot and a policy to a plan."""
