"""The congestion price of a placement: what it costs its own job, and those that wait."""

from __future__ import annotations

from typing import TypeVar

from scheduler.decisions.state.queue import Floats

_Value = TypeVar("_Value", float, Floats)


def own_cost(rate: _Value, end: _Value, money: _Value) -> _Value:
    """What a placement costs its own job; numbers, or (rows,) each.

    `rate`: loss per second until the job's `end`, which is in seconds from now; `money`: dollars
    on the same scale.
    """
    return rate * end + money


def congestion_price(own: _Value, pressure: _Value | float, held: _Value) -> _Value:
    """The price, lower is better; numbers, or (rows,) each.

    `own`: see `own_cost`; `held`: how much of its pool the placement takes; `pressure`: what the
    waiting jobs together lose per unit of that.
    """
    return own + pressure * held
