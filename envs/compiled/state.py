"""Many worlds as arrays: what the kernel reads and changes, one world a row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.compiled.facts import Facts
from scheduler.arrays import Bools, Floats, Floats32, Ints
from scheduler.decisions.features.columns import ORDERS, STATIC_COLUMNS, Timing
from scheduler.decisions.features.static_features import PriceParts, Weights


class State(NamedTuple):
    """What changes in B worlds.

    Queues and running jobs are the first `waiting` and `running` entries of their rows.
    """

    total: Ints
    """(B,) Jobs of the episode."""
    now: Floats
    """(B,) Seconds."""
    accrued: Floats
    """(B,) Latency of the objective so far, before w."""
    spent: Floats
    """(B,) Device-seconds so far."""
    rate: Floats
    """(B,) Σ impatience of the jobs in the system."""
    arrived: Ints
    """(B,) Jobs."""
    ended: Ints
    """(B,) Jobs."""
    free: Ints
    """(B,) Devices."""
    waiting: Ints
    """(B,)"""
    queue: Ints
    """(B, S) Slots, ascending."""
    sorted: Ints
    """(B, orders, S) The same slots by each order."""
    running: Ints
    """(B,)"""
    slot: Ints
    """(B, S) Of running jobs, by estimated end; equal ones by slot."""
    believed: Floats
    """(B, S) Their estimated ends."""
    begun: Floats
    """(B, S) Their starts."""
    over: Floats
    """(B, S) By slot: when the job ended."""
    held: Ints
    """(B,) Slot of the job that the pool is kept for; 0: none."""
    promised: Floats
    """(B,) Its start."""
    spare: Ints
    """(B,) Devices that may be held beyond that start."""
    open: Bools
    """(B,) Whether a round has begun and is not over."""
    crowd: Floats
    """(B, 5) Totals of `weights` over the queue as the round began, and its length."""
    shown: Ints
    """(B, K) Slot of each row that is shown; 0: WAIT or nothing."""
    rows: Ints
    """(B,) Rows that are shown, WAIT included; 0: the episode is over."""


class Setting(NamedTuple):
    """What all worlds share."""

    mode: int
    """Position in `facts.MODES`."""
    devices: int
    rows: int
    """K."""
    units: Floats32
    """(row columns,) Of the columns that are squashed."""
    ahead: Floats
    """(4,) Seconds."""
    globals: Floats
    """(4,) Units of depth, work, urgency and of the rows beyond."""
    site: Floats
    """(3,) What an encoding says of the number of devices, of pools, and the spread of prices."""


def allocate(worlds: int, slots: int, rows: int) -> tuple[Facts, State]:
    """Empty arrays for so many worlds, jobs and WAIT, and rows that are shown."""

    def floats(*shape: int) -> Floats:
        return np.zeros((worlds, *shape))

    def ints(*shape: int) -> Ints:
        return np.zeros((worlds, *shape), dtype=np.int64)

    jobs = Facts(
        submitted=floats(slots),
        estimate=floats(slots),
        runtime=floats(slots),
        width=ints(slots),
        priority=floats(slots),
        preference=floats(slots),
        impatience=floats(slots),
        columns=np.zeros((worlds, len(STATIC_COLUMNS), slots), dtype=np.float32),
        timing=floats(len(Timing._fields), slots),
        price=floats(len(PriceParts._fields), slots),
        weights=floats(len(Weights._fields), slots),
        place=ints(len(ORDERS), slots),
    )
    state = State(
        total=ints(),
        now=floats(),
        accrued=floats(),
        spent=floats(),
        rate=floats(),
        arrived=ints(),
        ended=ints(),
        free=ints(),
        waiting=ints(),
        queue=ints(slots),
        sorted=ints(len(ORDERS), slots),
        running=ints(),
        slot=ints(slots),
        believed=floats(slots),
        begun=floats(slots),
        over=floats(slots),
        held=ints(),
        promised=floats(),
        spare=ints(),
        open=np.zeros(worlds, dtype=np.bool_),
        crowd=floats(5),
        shown=ints(rows),
        rows=ints(),
    )
    return jobs, state
