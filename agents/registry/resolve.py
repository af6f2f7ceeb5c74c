"""Names of policies in commands, benchmarks and their processes: files anywhere, too.

For programs on the machine of whoever names them; the service imports this nowhere.
"""

from __future__ import annotations

from agents.registry.registry import offer
from scheduler.policies.lookup import register
from scheduler.policies.schedules import anywhere

offer()
register("wgc", anywhere)
