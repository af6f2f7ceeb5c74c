"""Policies that the simulator knows, and planners that act on whole queues."""
