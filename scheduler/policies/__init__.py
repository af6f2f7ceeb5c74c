"""Policies: functions from a candidate table to scores."""
