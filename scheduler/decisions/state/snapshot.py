"""The cluster and its queue at one instant, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.world import World
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a round may know. Nothing in it changes."""

    now: float
    """Unix seconds."""
    world: World
    """Copy it to try something out."""
    committed: tuple[Reservation, ...] = ()
    """Reservations of the round before, which some modes keep."""

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools of the cluster."""
        return self.world.pools
