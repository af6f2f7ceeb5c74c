"""Warm local workers: attempts in processes of this machine."""

from scheduler.executors.local.executor import LocalExecutor

__all__ = ["LocalExecutor"]
