"""What a round decided, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from scheduler.decisions.state.entries import Nodes
from scheduler.decisions.state.preemption import Preemption
from scheduler.domain.records import Decision


class Action(StrEnum):
    """The effect of choosing a row."""

    START = "start"
    BACKFILL = "backfill"
    """Started ahead of a reserved job that it does not delay."""
    RESERVE = "reserve"
    """Does not fit yet: the pool keeps its place."""
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Placement:
    """A job shall start now."""

    job: int
    pool: int
    """Index of the pool."""
    width: int
    nodes: Nodes
    memory: int
    runtime_s: float
    dollars: float
    joules: float
    action: Action


@dataclass(frozen=True, slots=True)
class Reservation:
    """A job was chosen for a pool in which it does not fit yet."""

    job: int
    pool: int
    width: int
    memory: int
    start: float
    """Unix seconds by estimates: when its devices are free."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of a round; its parts are consistent."""

    now: float
    policy: str
    placements: tuple[Placement, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    preemptions: tuple[Preemption, ...] = ()
    """Attempts that shall be stopped."""
    deferred: tuple[Placement, ...] = ()
    """Placements on devices that preemptions free. Where stops are instant, in a simulation, they
    start at once; the service decides again when the devices are free."""
    claims: tuple[Reservation, ...] = ()
    """Jobs for which attempts are stopped; the next snapshot has them until the jobs start."""
    again_at: float = inf
    """Unix seconds: the policy wants to decide again then, although nothing happens."""
    decisions: tuple[Decision, ...] = ()
    """Why, if the round was asked to explain itself."""
