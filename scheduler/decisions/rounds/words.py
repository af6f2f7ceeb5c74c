"""Jobs and places in words: what sets a job apart from those that wait, and from its rival."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scheduler.decisions.kernel.rules.precedence import alike
from scheduler.decisions.rounds.criteria import Criterion, QueueFigures, of_job
from scheduler.decisions.state.world import World
from scheduler.domain.units import counted, duration, money

NAMED = 3
"""Properties of a job that are named."""
DIFFERENCES = 2
"""Differences to a rival that are named."""
NEGLIGIBLE = 0.02
"""A smaller relative difference is named only if there is no other one."""
NO_DEADLINE = "no deadline"


def both(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


class _Wording(NamedTuple):
    """How a figure is told: alone, and beside a rival's."""

    show: Callable[[float], str]
    least: str
    """The word for a job that has the least of all."""
    small: str
    large: str
    behind: Callable[[float, float], str]
    """(figure of the job that goes first, that of the other one) → a predicate of the other one."""


def _more(ratio: float, more: str, times: str) -> str:
    """`40 % longer` or `2.1 × as long`; `ratio` is at least 1."""
    if ratio >= 2.0:
        return f"{ratio:.2g} × {times}" if ratio < 100 else f"{ratio:.0f} × {times}"
    return f"{max(100.0 * (ratio - 1.0), 1.0):.0f} % {more}"


def _later(best: float, other: float) -> str:
    if other == np.inf:
        return "has no deadline"
    return f"has a deadline {duration(other - best)} later"


_WORDINGS: Mapping[Criterion, _Wording] = {
    Criterion.PRIORITY: _Wording(
        lambda figure: f"{-figure:g}",
        "highest priority",
        "high priority",
        "low priority",
        lambda best, other: f"has priority {-other:g}, not {-best:g}",
    ),
    Criterion.DEADLINE: _Wording(duration, "", "", "", _later),
    Criterion.LAXITY: _Wording(
        duration,
        "",
        "",
        "",
        lambda best, other: (
            "has no deadline"
            if other == np.inf
            else f"has {duration(other - best)} more to spare before its deadline"
        ),
    ),
    Criterion.LENGTH: _Wording(
        duration,
        "shortest job",
        "short job",
        "long job",
        lambda best, other: f"is {_more(other / max(best, 1e-9), 'longer', 'as long')}",
    ),
    Criterion.AREA: _Wording(
        duration,
        "least device time",
        "little device time",
        "much device time",
        lambda best, other: (
            f"takes {_more(other / max(best, 1e-9), 'more device time', 'the device time')}"
        ),
    ),
    Criterion.WIDTH: _Wording(
        lambda count: counted(count, "device"),
        "fewest devices",
        "few devices",
        "many devices",
        lambda best, other: f"takes {counted(other, 'device')}, not {best:.0f}",
    ),
    Criterion.EXPANSION: _Wording(
        lambda figure: f"{-figure:.2g} × its runtime",
        "longest wait for its length",
        "long wait for its length",
        "short wait for its length",
        lambda best, other: f"has waited {-other:.2g} × its runtime, not {-best:.2g} ×",
    ),
    Criterion.ARRIVAL: _Wording(
        lambda figure: duration(max(-figure, 0.0)),
        "longest wait",
        "long wait",
        "short wait",
        lambda best, other: f"came {duration(other - best)} later",
    ),
}


def standing(
    figures: QueueFigures, criteria: Iterable[Criterion], slot: int, *, strict: bool
) -> list[str]:
    """What sets a job apart from the jobs that wait: at most `NAMED` phrases.

    `strict`: only what is better than the median, as for a policy that weighs several criteria.
    """
    if figures.count < 2:
        return ["the only job that waits"]
    found = [_phrase(figures, one, slot, strict) for one in criteria]
    if found == [NO_DEADLINE]:
        # Jobs that are equal to the policy go by their age.
        found.append(_phrase(figures, Criterion.ARRIVAL, slot, strict))
    return list(dict.fromkeys(filter(None, found)))[:NAMED]


def _phrase(figures: QueueFigures, criterion: Criterion, slot: int, strict: bool) -> str:
    if criterion is Criterion.AREA and _narrow(figures, slot):
        criterion = Criterion.LENGTH
    own = of_job(figures.world, criterion, slot)
    least, middle = figures.least_and_median(criterion)
    first = figures.complete and own <= least
    if criterion in (Criterion.DEADLINE, Criterion.LAXITY):
        return _deadline(own, first, strict)
    if strict and not own < middle:
        return ""
    return _worded(criterion, own, middle, first)


def _deadline(left_s: float, first: bool, strict: bool) -> str:
    if left_s == np.inf:
        return "" if strict else NO_DEADLINE
    if left_s < 0:
        return f"deadline missed by {duration(-left_s)}"
    return f"{'nearest ' * first}deadline in {duration(left_s)}"


def _worded(criterion: Criterion, own: float, middle: float, first: bool) -> str:
    wording = _WORDINGS[criterion]
    if own == middle:
        return f"{wording.least if first else 'in the middle of the queue'} ({wording.show(own)})"
    name = wording.least if first else wording.small if own < middle else wording.large
    return f"{name} ({wording.show(own)}, median {wording.show(middle)})"


def _narrow(figures: QueueFigures, slot: int) -> bool:
    """Whether device time is runtime: one device each."""
    _, middle = figures.least_and_median(Criterion.WIDTH)
    return of_job(figures.world, Criterion.WIDTH, slot) == 1.0 == middle


def behind(world: World, criteria: Sequence[Criterion], winner: int, loser: int) -> str:
    """Why a job goes behind another one, as predicates: `is 40 % longer and came 3 s later`.

    Empty if no criterion speaks for the winner.
    """
    if alike(world.handle, winner, loser):
        # `kernel.rules.precedence` decides between them under every policy.
        criteria = (Criterion.PRIORITY, Criterion.DEADLINE, Criterion.ARRIVAL)
    named: Sequence[Criterion] = criteria
    if world.job_request[winner] == world.job_request[loser]:
        # The same devices: device time differs as runtime does.
        named = [Criterion.LENGTH if one is Criterion.AREA else one for one in criteria]
    clear: list[str] = []
    slight: list[str] = []
    for one in dict.fromkeys(named):
        best, other = of_job(world, one, winner), of_job(world, one, loser)
        if best < other:
            large = other == np.inf or other - best > NEGLIGIBLE * max(abs(best), abs(other))
            (clear if large else slight).append(_WORDINGS[one].behind(best, other))
    return both((clear or slight[:1])[:DIFFERENCES])


class PlaceFigures(NamedTuple):
    """A placement of a job, with what it would cost the job."""

    pool: str
    width: int
    start_delay_s: float
    runtime_s: float
    dollars: float

    @property
    def name(self) -> str:
        """Pool × width."""
        return f"{self.pool} × {self.width}"

    @property
    def end_s(self) -> float:
        """Seconds until the job would end there."""
        return self.start_delay_s + self.runtime_s

    def figures(self) -> str:
        """Runtime and cost."""
        return f"{duration(self.runtime_s)}, {money(self.dollars)}"


def merits(place: PlaceFigures, others: Sequence[PlaceFigures]) -> str:
    """What speaks for a place beside all others that its job accepts: `cheapest place, free now`.

    `others` leaves the place itself out.
    """
    when = "free now"
    if place.start_delay_s == np.inf:
        when = "free at a time not in sight"
    elif place.start_delay_s > 0:
        when = f"free in about {duration(place.start_delay_s)}"
    if not others:
        return f"the only place that it accepts, {when}"
    free = [other for other in others if other.start_delay_s <= 0]
    if place.start_delay_s <= 0 and not free:
        when = "the only one free now"
    cheapest = place.dollars <= min(other.dollars for other in others)
    soonest = place.end_s <= min(other.end_s for other in others)
    if cheapest and soonest:
        return f"cheapest and quickest place, {when}"
    if cheapest or soonest:
        return f"{'cheapest' if cheapest else 'quickest'} place, {when}"
    return f"neither the cheapest nor the quickest place, but {when}"


def beside(place: PlaceFigures, chosen: PlaceFigures) -> str:
    """A place compared with the chosen one: `2.1 × the cost, ends 12 s earlier`."""
    parts = []
    least = min(place.dollars, chosen.dollars)
    if abs(place.dollars - chosen.dollars) > NEGLIGIBLE * least:
        if chosen.dollars <= 0:
            parts.append(f"costs {money(place.dollars)}, not nothing")
        elif place.dollars > chosen.dollars:
            parts.append(_more(place.dollars / chosen.dollars, "more expensive", "the cost"))
        else:
            parts.append(f"{100 * (1 - place.dollars / chosen.dollars):.0f} % cheaper")
    if place.end_s == np.inf:
        parts.append("free at a time not in sight")
    elif chosen.end_s < np.inf:
        late = place.end_s - chosen.end_s
        if abs(late) > NEGLIGIBLE * chosen.end_s:
            parts.append(f"ends {duration(abs(late))} {'later' if late > 0 else 'earlier'}")
    return ", ".join(parts) or "equal in cost and time"
