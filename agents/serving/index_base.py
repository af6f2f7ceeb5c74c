"""What a learned index corrects, as a manifest keeps it.

A base that is wgc is kept with all its constants, so that the policy stays as it was learned when a
schedule is tuned again, or in another data folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from scheduler.domain.errors import InputError
from scheduler.policies.constants import Schedule, constants
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.learned_index import Base, correctable
from scheduler.policies.wgc import Wgc

_WGC = "wgc"


@with_config(ConfigDict(extra="forbid"))
class BasePoint(TypedDict):
    """Constants of wgc at one preference."""

    w: float | None
    """None, at the only point: the same constants at every preference."""
    constants: dict[str, float | str | None]


def points_of(base: Base) -> tuple[BasePoint, ...]:
    """The constants of a base; none if it is a textbook order."""
    if not isinstance(base, Wgc):
        return ()
    known = base.constants
    points = known.points if isinstance(known, Schedule) else ((None, known),)
    return tuple(BasePoint(w=w, constants=asdict(one)) for w, one in points)


def base_of(name: str, points: Sequence[BasePoint]) -> Base:
    """The base called `name` with these constants.

    Raises `InputError` with the reason if there is no such policy, if constants are missing or
    illegal, or if a textbook order has some.
    """
    if name in HEURISTICS:
        if points:
            raise InputError(f"its base {name} has constants of wgc", {"points": "none"})
        return correctable(HEURISTICS[name])
    if name.partition(":")[0] != _WGC:
        legal = f"wgc, wgc:…, or one of {', '.join(HEURISTICS)}"
        raise InputError(f"its base {name!r} is unknown", {"base": legal})
    if not points:
        raise InputError(f"the constants of its base {name} are missing", {"points": "at least 1"})
    known = [(point["w"], constants(point["constants"])) for point in points]
    scheduled = tuple((w, one) for w, one in known if w is not None)
    if len(scheduled) == len(known):
        return Wgc(Schedule(scheduled), name)
    if len(known) > 1:
        raise InputError(
            f"a point of its base {name} has no preference",
            {"w": "0 … 1, or null at the only point"},
        )
    return Wgc(known[0][1], name)
