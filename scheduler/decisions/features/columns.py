"""The columns of an encoding: each has a name, a meaning and a unit.

`scheduler.decisions.kernel.learned` computes them, at the positions that they have here. All scales
are fixed: the same facts give the same numbers in every simulation, every service and every
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.decisions.kernel.cluster.starts import AHEAD_S
from scheduler.decisions.kernel.queue.positions import ROW_UNITS, WHOLE_UNITS


@dataclass(frozen=True, slots=True)
class Column:
    """One number of a row, or of the whole table."""

    name: str
    meaning: str
    unit: float = 0.0
    """The column holds GAIN · ln(1 + x / unit); 0: it holds x itself, which is 0 … 1."""


def _columns(named: Sequence[tuple[str, str]], units: Sequence[float]) -> tuple[Column, ...]:
    return tuple(Column(*each, unit) for each, unit in zip(named, units, strict=True))


ROW_COLUMNS = _columns(
    (
        ("present", "1 for a row of the table, 0 for padding"),
        ("waits", "1 for WAIT"),
        ("fits", "1 if it could start now"),
        *(
            (f"free_{ahead:g}s", f"share of its pool free in {ahead:g} s, by estimates")
            for ahead in AHEAD_S
        ),
        ("share", "devices it takes ÷ devices of the pool"),
        ("priority", "÷ 100"),
        ("preference", "of the job: 0 cheapest … 1 fastest"),
        ("request", "n: devices where the job takes the fewest device-seconds"),
        ("size", "r: seconds there"),
        ("area", "r·n (device-seconds)"),
        ("ideal", "least seconds on any placement"),
        ("runtime", "seconds on this placement"),
        ("slower", "runtime ÷ ideal, minus 1"),
        ("dollars", "of the attempt"),
        ("worth", "dollars as seconds of one device of the most expensive pool"),
        ("dearer", "dollars ÷ the job's least, minus 1"),
        ("hungrier", "joules ÷ the job's least, minus 1"),
        ("wait", "seconds since the submission"),
        ("expansion", "wait ÷ r, r at least 10 s"),
        ("slack", "seconds to spare to the deadline; the top without one"),
        ("inflicted", "slowdown of the others while it holds its share of the pool"),
        ("late", "seconds beyond the deadline"),
        ("delay", "seconds until it could start, boot included"),
        ("later", "end here ÷ the job's soonest end anywhere, both from now, minus 1"),
        (
            "price",
            "in seconds, what it costs the job and those that wait (`pricing.price_row`)",
        ),
        ("price_slowdown", "the same in slowdown"),
        ("regret", "price - the job's least price anywhere (s)"),
        ("regret_slowdown", "the same in slowdown"),
        *(
            (f"rank_{order}", f"jobs before this one by {order}")
            for order in ("fcfs", "sjf", "saf", "f1", "priority")
        ),
        ("rank_price", "rows before this one by price"),
        ("rank_price_slowdown", "rows before this one by price in slowdown"),
    ),
    ROW_UNITS,
)
"""The columns of each row, in the order in which an encoding holds them. WAIT has only the first
and the two after it; all others are 0."""
GLOBAL_COLUMNS = _columns(
    (
        ("preference", "w: 0 cheapest … 1 fastest"),
        ("backfilling", "1 if a pool is reserved: what is chosen starts beside that job"),
        *(
            (f"{which}_free_{ahead:g}s", f"{which} share free in {ahead:g} s, by estimates")
            for ahead in AHEAD_S
            for which in ("total", "least", "most")
        ),
        ("depth", "jobs that wait as the round begins"),
        ("work", "their device-seconds ÷ all devices (s)"),
        ("urgency", "slowdown that all of them gain in an hour"),
        ("devices", "of all pools"),
        ("pools", "number of pools"),
        ("spread", "price of the most expensive pool ÷ the cheapest, minus 1"),
        ("beyond", "rows of the table that are not shown"),
    ),
    WHOLE_UNITS,
)
"""The columns of the whole table, which follow the rows."""
