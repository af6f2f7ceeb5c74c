"""Well-known heuristics, by name.

Each is an *order* of jobs (a score of the job, higher first; equal scores: oldest first) and a
*placement* (a cost of each row of the chosen job, least wins). Symbols as in the papers: w wait
(s), r estimated runtime (s), n devices, s submission time (s); r and n are those of the job's
placement with the fewest device-seconds. A job that has the best score but does not fit gets the
reservation; the round's mode decides what may start beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.queue import WAIT, Floats

Column = Callable[[Candidates], Floats]


class Timeless(Protocol):
    """What a static order looks at: columns of a table, or the `QueueFacts` of a single job."""

    @property
    def born(self) -> Any:
        """Seconds from the start of the history to the submission."""

    @property
    def size(self) -> Any:
        """Estimated runtime, r (s)."""

    @property
    def request(self) -> Any:
        """Devices, n."""

    @property
    def priority(self) -> Any:
        """0 … 100."""

    @property
    def deadline(self) -> Any:
        """Unix seconds; inf: none."""


Rank = Callable[[Timeless], Any]

LAST = -1e300
"""Score of a job to which the order does not apply: after all others, but not never."""


@dataclass(frozen=True, slots=True)
class Heuristic:
    """A policy made of an order and a placement."""

    name: str
    order: Column
    summary: str
    """One line for people: what it prefers, and its source."""
    placement: Column = lambda table: table.preference_cost
    stable: bool = True
    rank: Rank | None = None
    """The order, if it never changes with time: then it serves single jobs too."""

    def scores(self, table: Candidates) -> Floats:
        """(n,) The order, with WAIT last: a heuristic never waits by choice."""
        scores = np.array(self.order(table), dtype=np.float64)
        scores[WAIT] = -np.inf
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The placement's cost."""
        return self.placement(table)


def _log10(values: Any) -> Any:
    # Guarded: submission at second 0 and runtimes under a second must not give -inf.
    return np.log10(np.maximum(values, 1.0))


def _wfp3(table: Candidates) -> Floats:
    """Score (w / r)³ · n. Tang, Lan, Desai, Buettner, CLUSTER 2009."""
    ratio = np.maximum(table.wait, 0.0) / np.maximum(table.size, 1.0)
    return ratio * ratio * ratio * table.request  # products are the same on every machine


def _unicep(table: Candidates) -> Floats:
    """Score w / (log2(n) · r), the logarithm at least 1e-6: serial jobs go first.

    Tang et al., CLUSTER 2009.
    """
    weight = np.maximum(np.log2(np.maximum(table.request, 1.0)), 1e-6)
    score: Floats = np.maximum(table.wait, 0.0) / (weight * np.maximum(table.size, 1.0))
    return score


def _f(runtime: Callable[[Any], Any], devices: Callable[[Any], Any], age: float) -> Rank:
    """The F family: -(g(r) · h(n) + c · log10(s)).

    Carastan-Santos and de Camargo, SC 2017, table 3; s counts from the start of the history.
    """

    def order(jobs: Timeless) -> Any:
        return -(runtime(jobs.size) * devices(jobs.request) + age * _log10(jobs.born))

    return order


def _edf(jobs: Timeless) -> Any:
    """Earliest deadline first (Liu and Layland 1973); jobs without one come last."""
    return np.maximum(-jobs.deadline, LAST)


def _llf(jobs: Timeless) -> Any:
    """Least laxity first: deadline - now - r (Mok 1983); jobs without a deadline come last.

    `now` is the same for all and left out.
    """
    return np.maximum(-(jobs.deadline - jobs.size), LAST)


def _tetris(table: Candidates) -> Floats:
    """Alignment of demand and free devices plus shortest-work bonus; what fits comes first.

    Grandl, Ananthanarayanan, Kandula, Rao, Akella, SIGCOMM 2014: dot product of demand and
    availability, both as shares of the pool, combined with the remaining work at equal weight.
    """
    work = np.maximum(table.runtime * table.width, 1e-9)
    least = work[1:].min() if len(work) > 1 else 1.0
    return table.share * table.free + 0.5 * least / work - 2.0 * ~table.fits


def _fcfs(jobs: Timeless) -> Any:
    return -jobs.born


def _same(values: Any) -> Any:
    return values


def _dollars(table: Candidates) -> Floats:
    return table.dollars


def _soonest(table: Candidates) -> Floats:
    return table.start_delay + table.runtime


def _value(table: Candidates) -> Floats:
    """Dollars × time; inf, not NaN, for what is free of charge but never fits."""
    time = table.start_delay + table.runtime
    never = np.isinf(time)
    return np.where(never, np.inf, table.dollars * np.where(never, 0.0, time))


def _static(
    name: str, rank: Rank, summary: str, placement: Column = lambda table: table.preference_cost
) -> Heuristic:
    return Heuristic(name, rank, summary, placement, rank=rank)


HEURISTICS: Mapping[str, Heuristic] = {
    heuristic.name: heuristic
    for heuristic in (
        _static("fcfs", _fcfs, "first come, first served"),
        _static("sjf", lambda j: -j.size, "shortest job first: least r"),
        _static("smallest", lambda j: -j.request, "smallest job first: least n"),
        _static("saf", lambda j: -j.size * j.request, "smallest area first: least r·n"),
        Heuristic("wfp3", _wfp3, "(w/r)³·n (Tang et al. 2009)"),
        Heuristic("unicep", _unicep, "w/(log2(n)·r) (Tang et al. 2009)"),
        _static("f1", _f(_log10, _same, 870.0), "log10(r)·n + 870·log10(s) (SC 2017)"),
        _static("f2", _f(np.sqrt, _same, 25_600.0), "√r·n + 25600·log10(s) (SC 2017)"),
        _static("f3", _f(_same, _same, 6_860_000.0), "r·n + 6860000·log10(s) (SC 2017)"),
        _static("f4", _f(_same, np.sqrt, 530_000.0), "r·√n + 530000·log10(s) (SC 2017)"),
        Heuristic(
            "lxf",
            lambda t: (t.wait + t.size) / np.maximum(t.size, 1e-9),
            "largest expansion factor: (w+r)/r",
        ),
        _static("edf", _edf, "earliest deadline first"),
        _static("llf", _llf, "least laxity first: deadline - now - r"),
        _static("priority", lambda j: j.priority, "highest priority first, then oldest"),
        Heuristic("tetris", _tetris, "packing: demand · free + short work", stable=False),
        _static("cheapest", _fcfs, "oldest first, each on its cheapest devices", _dollars),
        _static("fastest", _fcfs, "oldest first, each where it ends soonest", _soonest),
        _static("best-value", _fcfs, "oldest first, each where dollars × time is least", _value),
    )
}
