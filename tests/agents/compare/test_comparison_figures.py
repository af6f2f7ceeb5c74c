"""Figures of a column share unit and digits."""

import math

import pytest

from agents.evaluation.metrics import Unit
from agents.report.format import NONE, percent, scale


@pytest.mark.parametrize(
    ("unit", "values", "texts"),
    [
        (Unit.SECONDS, [1.0, 2.5, 90.0], ("s", "2.50")),
        (Unit.SECONDS, [600.0, 1200.0, 86_400.0], ("min", "0.0")),
        (Unit.SECONDS, [3 * 86_400.0], ("d", "0.00")),
        (Unit.SHARE, [0.125], ("%", "250.0")),
        (Unit.JOULES, [4.2e6], ("MJ", "0.00")),
        (Unit.DOLLARS, [1234.0], ("$", "2")),
        (Unit.JOBS, [0.0, 3.0], ("", "2")),
        (Unit.RATIO, [0.0], ("", "2")),
        (Unit.RATIO, [math.nan], ("", "2")),
    ],
)
def test_middle_of_the_column_decides(unit, values, texts):
    found = scale(unit, values)
    assert (found.unit, found.text(2.5)) == texts


def test_large_small_and_missing_figures():
    column = scale(Unit.RATIO, [5.0])
    assert column.text(12_345.678) == "12\u2009345.68"
    assert column.text(-1.0) == "−1.00"
    assert column.text(-0.001) == "0.00"
    assert column.text(math.nan) == NONE
    assert column.text(math.inf) == NONE


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0314, "+3.1\u2009%"), (-1.5, "−150\u2009%"), (0.0001, "±0\u2009%"), (math.nan, NONE)],
)
def test_percent(value, text):
    assert percent(value) == text
