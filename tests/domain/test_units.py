"""Durations and dollars in words."""

import pytest

from scheduler.domain.units import duration, money


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (4.24, "4.24 s"), (185.2, "3 min 05 s"), (7800.0, "2 h 10 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(12.3, "$12.30"), (0.0036, "$0.0036"), (3.14e-5, "$0.000031"), (0.0, "$0"), (0.5, "$0.5")],
)
def test_money(dollars, text):
    assert money(dollars) == text


def test_a_least_amount_is_never_rounded_below_itself():
    assert money(3.14e-5, up=True) == "$0.000032"
    assert money(12.301, up=True) == "$12.31"
