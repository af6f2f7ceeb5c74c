"""Attempts on many nodes, each of which has an agent; what carries the calls is a transport's."""

from scheduler.executors.cluster.executor import ClusterExecutor

__all__ = ["ClusterExecutor"]
