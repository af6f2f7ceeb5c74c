"""An episode as text: what runs, and what is to be decided."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np

from envs.simulator.simulation import Simulation
from scheduler.arrays import Floats
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.entries import WAIT
from scheduler.domain.units import duration, money

_BAR = 24
"""Characters of a pool's bar."""
_ROWS = 16
"""Most rows of the table that are written."""


def ansi(
    simulation: Simulation,
    table: Candidates | None,
    shown: Mapping[int, int],
    preference: float,
) -> str:
    """The pools, then the rows that can be chosen.

    `shown`: legal actions → positions in the table. `table`: None after the end of the episode.
    """
    running = len(simulation.holding())
    lines = [
        f"{duration(simulation.now)}: {running} running, {simulation.waiting} waiting, "
        f"{simulation.finished} ended; w = {preference:.2f}",
        *_pools(simulation),
    ]
    if table is not None:
        lines += ["", *_rows(table, shown)]
    return "\n".join(lines) + "\n"


def _pools(simulation: Simulation) -> list[str]:
    world = simulation.world
    wide = max(len(pool.name) for pool in world.pools)
    lines = []
    for index, pool in enumerate(world.pools):
        free = world.free(index)
        busy = pool.count - free
        filled = round(_BAR * busy / pool.count)
        line = f"{pool.name:<{wide}}  {'█' * filled}{'░' * (_BAR - filled)}  {busy}/{pool.count}"
        releases = world.releases(index)
        if releases:
            line += f", next free in {duration(max(0.0, releases[0].end - simulation.now))}"
        lines.append(line)
    return lines


def _rows(table: Candidates, shown: Mapping[int, int]) -> list[str]:
    head = f"{'action':>6}  {'job':>6}  {'placement':<16}  {'waited':>12}  {'runtime':>12}"
    lines = [f"{head}  {'starts in':>12}  {'cost':>9}  deadline in"]
    delay, deadline = table.start_delay, table.deadline - table.now
    for action, position in islice(shown.items(), _ROWS):
        if position == WAIT:
            lines.append(f"{action:>6}  {'-':>6}  wait")
            continue
        pool = table.world.pools[table.pool[position]]
        place = f"{pool.name} × {table.width[position]:g}"
        figures = (table.wait[position], table.runtime[position], delay[position])
        times = "  ".join(f"{_time(figure):>12}" for figure in figures)
        lines.append(
            f"{action:>6}  {table.job[position]:>6}  {place:<16}  {times}  "
            f"{money(table.dollars[position]):>9}  {_deadline(deadline, position)}"
        )
    if len(shown) > _ROWS:
        lines.append(f"and {len(shown) - _ROWS} rows more")
    return lines


def _time(seconds: float) -> str:
    return duration(float(seconds)) if np.isfinite(seconds) else "never"


def _deadline(left: Floats, position: int) -> str:
    seconds = float(left[position])
    if not np.isfinite(seconds):
        return "-"
    return duration(seconds) if seconds >= 0 else f"missed {duration(-seconds)} ago"
