"""Resolves names of policies in commands, benchmarks and their processes, and paths of files.

Only programs of the user who names a path may import this; the service does not.
"""

from __future__ import annotations

from agents.registry.registry import offer
from scheduler.policies.lookup import register
from scheduler.policies.schedules import anywhere

offer()
register("wgc", anywhere)
