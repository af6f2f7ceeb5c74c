"""Durations, dollars and counts as text for people."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal

CENTURY_S = 36_500 * 86_400
"""Deadlines and durations end within a century."""

_DURATION = re.compile(r"[0-9]+(?:\.[0-9]+)?|(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|)")
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_LEGAL = "seconds, or numbers with ms, s, m, h, d: 90, 30m, 2h, 1h30m"


def seconds(text: str) -> float:
    """`1h30m` → 5400.0, `90` → 90.0. Raises `ValueError` with the legal forms."""
    plain = text.strip().lower()
    if not _DURATION.fullmatch(plain):
        raise ValueError(f"{text!r} is not a duration; legal: {_DURATION_LEGAL}")
    # A number without a unit is seconds, as it is outside of text.
    total = sum(float(number) * _UNITS[unit or "s"] for number, unit in _PART.findall(plain))
    if total > CENTURY_S:
        raise ValueError(f"{text!r} is longer than a century")
    return total


def duration(seconds: float) -> str:
    """Seconds as `4.2 s`, `3 min 05 s` or `2 h 10 min`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def unknown(assumed_s: float) -> str:
    """`unknown, 5 min 00 s assumed`: what is said of a runtime of which nothing is known."""
    return f"unknown, {duration(assumed_s)} assumed"


def counted(count: float, noun: str) -> str:
    """`1 job`, `4 jobs`, `2,000 jobs`: the plural of a noun that takes an s."""
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def money(dollars: float, *, up: bool = False) -> str:
    """Dollars as `$1,234.50`, or below one with two significant digits: `$0.0036`, `$0.000031`.

    `up` rounds away from zero: for a least amount that must suffice.
    """
    rounding = ROUND_UP if up else ROUND_HALF_EVEN
    if dollars >= 1:
        return f"${Decimal(dollars).quantize(Decimal('0.01'), rounding):,f}"
    return f"${Context(prec=2, rounding=rounding).create_decimal_from_float(dollars):f}"
