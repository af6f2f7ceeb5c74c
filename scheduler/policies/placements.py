"""ORDER@PLACEMENT: a textbook order of jobs, with another rule for where the chosen job runs.

`sjf` alone places by the job's preference. On pools that differ, the placement decides as much as
the order, so an order is a fair rival only with the placement that suits it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from scheduler.decisions.kernel.queue import orders
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies.heuristics import Heuristic, TextbookHeuristic
from scheduler.policies.wgc import Wgc

PLACEMENTS: Mapping[str, int] = {
    "preference": orders.PREFERENCE,
    "cheapest": orders.DOLLARS,
    "fastest": orders.SOONEST,
    "best-value": orders.VALUE,
}
"""Name → cost; wgc, with any constants, is legal besides: its price decides then."""


def placed(
    order: Heuristic | TextbookHeuristic, placement: str, named: Callable[[str], Policy]
) -> TextbookHeuristic:
    """The order with that placement; `named` knows wgc with other constants.

    Raises `InputError` for an order that scores placements itself, `MissingError` for an unknown
    placement.
    """
    if not isinstance(order, TextbookHeuristic):
        raise InputError(
            f"{order.name} chooses job and placement together",
            {"policy": f"{order.name} without @, or another order"},
        )
    name = f"{order.name}@{placement}"
    if placement in PLACEMENTS:
        return replace(order, name=name, placement=PLACEMENTS[placement])
    price = named(placement) if placement.partition(":")[0] == Wgc().name else None
    if not isinstance(price, Wgc):
        raise MissingError(
            f"there is no placement {placement!r}",
            {"policy": f"{order.name}@ and one of {', '.join(PLACEMENTS)}, wgc, wgc:SCENARIO"},
        )
    return replace(order, name=name, placement=orders.PRICE, price=price)
