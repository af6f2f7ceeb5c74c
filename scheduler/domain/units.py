"""Durations and dollars as text for people."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal


def duration(seconds: float) -> str:
    """Seconds as `4.2 s`, `3 min 05 s` or `2 h 10 min`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def money(dollars: float, *, up: bool = False) -> str:
    """Dollars as `$12.30`, or below one with two significant digits: `$0.0036`, `$0.000031`.

    `up` rounds away from zero: for a least amount that must suffice.
    """
    rounding = ROUND_UP if up else ROUND_HALF_EVEN
    if dollars >= 1:
        return f"${Decimal(dollars).quantize(Decimal('0.01'), rounding):f}"
    return f"${Context(prec=2, rounding=rounding).create_decimal_from_float(dollars):f}"
