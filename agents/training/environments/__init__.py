"""Environments of a training: rewards relative to a baseline."""
