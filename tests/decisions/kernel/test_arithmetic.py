"""Functions that have the same bits everywhere: held against exact values and NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest

from scheduler.compilation.columns import Floats
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel import arithmetic
from scheduler.decisions.kernel.arithmetic import exp, ln, ln1p, pairwise_sum, power

RNG = np.random.default_rng(7)
COUNT = 20_000
POSITIVE = np.concatenate(
    [
        RNG.random(COUNT),
        np.exp(RNG.uniform(-740.0, 709.0, COUNT)),
        1.0 + RNG.uniform(-0.01, 0.01, COUNT),
        RNG.uniform(0.5, 2.0, COUNT),
        [5e-324, 2.3e-308, 1.0, math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0), 1.7e308],
    ]
)
ABOVE_MINUS_ONE = np.concatenate([POSITIVE, -RNG.random(COUNT), RNG.uniform(-1e-9, 1e-9, COUNT)])
EXPONENTS = np.concatenate(
    [
        RNG.uniform(-745.0, 709.7, COUNT),
        RNG.uniform(-1.0, 1.0, COUNT),
        RNG.uniform(-1e-9, 1e-9, COUNT),
        [0.0, 709.782712893384, -745.1332191019411, -708.4, 0.5 * math.log(2.0)],
    ]
)
CASES = [
    (ln, np.log, Decimal.ln, POSITIVE),
    (ln1p, np.log1p, lambda x: (1 + x).ln(), ABOVE_MINUS_ONE),
    (exp, np.exp, Decimal.exp, EXPONENTS),
]

WRITTEN = [
    *(
        "-0x1.26bb1bbb55515p+1",
        "-0x1.6d3c324e13f50p-2",
        "0x1.193ea7aad030ap+0",
        "0x1.2616719161d2bp+2",
    ),
    *(
        "0x1.8663f793c46c7p-4",
        "0x1.0fae81914a991p-1",
        "0x1.62e42fefa39efp+0",
        "0x1.26bb1bbb55516p+2",
    ),
    *(
        "0x1.1aec7b35a00d4p+0",
        "0x1.01c2a61268987p+1",
        "0x1.415e5bf6fb106p+4",
        "0x1.c614fe2531841p+142",
    ),
]


@compiled
def _all_of(kind: int, values: Floats, out: Floats) -> None:
    for i in range(values.size):
        if kind == 0:
            out[i] = ln(values[i])
        elif kind == 1:
            out[i] = ln1p(values[i])
        else:
            out[i] = exp(values[i])


def plain(function: Callable[..., float]) -> Callable[..., float]:
    """The function as Python, whether or not it is compiled."""
    return getattr(function, "__wrapped__", function)


@pytest.mark.parametrize("kind", range(3))
def test_within_two_units_of_numpy_s_in_the_last_place(kind: int) -> None:
    _, reference, _, values = CASES[kind]
    out = np.empty(values.size)
    _all_of(kind, values, out)
    expected = reference(values)
    assert np.max(np.abs(out - expected) / np.spacing(np.abs(expected))) <= 2.0


@pytest.mark.parametrize("kind", range(3))
def test_within_one_unit_of_the_exact_value(kind: int) -> None:
    function, _, exact, values = CASES[kind]
    with localcontext(prec=100):
        for value in [*values[:: values.size // 300], *values[-6:]]:
            if abs(value) < 1e-40:
                continue  # lost in 1 + value
            error = abs(Decimal(function(value)) - exact(Decimal(float(value))))
            assert error <= Decimal(math.ulp(function(value)))


@pytest.mark.parametrize("kind", range(3))
def test_plain_python_has_the_same_bits(kind: int) -> None:
    function, _, _, values = CASES[kind]
    out = np.empty(values.size)
    _all_of(kind, values, out)
    step = 7
    same = [plain(function)(float(value)) for value in values[::step]]
    np.testing.assert_array_equal(out[::step], same)


def test_bits_that_are_written_down() -> None:
    """Wherever these differ, decisions and learned policies may differ between machines."""
    found = [f(x).hex() for f in (ln, ln1p, exp) for x in (0.1, 0.7, 3.0, 99.0)]
    assert found == WRITTEN


@pytest.mark.parametrize("of", [lambda f: f, plain])
def test_ends_of_the_line(of: Callable[[Callable[..., float]], Callable[..., float]]) -> None:
    for logarithm, zero in ((of(ln), 0.0), (of(ln1p), -1.0)):
        assert logarithm(zero) == -math.inf
        assert math.isnan(logarithm(zero - 0.5))
        assert math.isnan(logarithm(-math.inf))
        assert math.isnan(logarithm(math.nan))
        assert logarithm(math.inf) == math.inf
    assert math.copysign(1.0, of(ln1p)(-0.0)) == -1.0
    assert of(ln1p)(1e-50) == 1e-50
    assert (of(exp)(709.79), of(exp)(math.inf)) == (math.inf, math.inf)
    assert (of(exp)(-745.14), of(exp)(-math.inf)) == (0.0, 0.0)
    assert math.isnan(of(exp)(math.nan))
    assert (of(ln)(1.0), of(ln1p)(0.0), of(exp)(0.0)) == (0.0, 0.0, 1.0)


def test_power() -> None:
    for x, y in ((2.0, 0.5), (3.0, 1.7), (0.01, 2.0), (1e6, 0.15), (5.0, -2.0)):
        assert power(x, y) == pytest.approx(x**y, rel=1e-14)
    assert (power(0.0, 0.0), power(0.0, 2.0), power(7.3, 1.0), power(7.3, 0.0)) == (1, 0, 7.3, 1)
    assert power(0.0, -1.0) == math.inf


def test_sums_are_numpy_s_to_the_last_bit() -> None:
    lengths = [*range(300), *(int(n) for n in np.exp(RNG.uniform(5.0, 11.0, 2_000)))]
    for length in lengths:
        values = RNG.standard_normal(length) * np.exp(RNG.uniform(-20.0, 20.0, length))
        assert pairwise_sum(values, length) == np.sum(values), length


def test_a_sum_takes_no_more_values_than_it_is_told_and_plain_python_agrees() -> None:
    for length in (0, 1, 7, 8, 127, 128, 129, 136, 257, 1_000, 5_003):
        values = np.concatenate([RNG.standard_normal(length), [math.nan]])
        assert pairwise_sum(values, length) == np.sum(values[:length])
        assert plain(pairwise_sum)(values, length) == np.sum(values[:length])


def test_nothing_of_a_library_is_called_but_what_is_exact() -> None:
    exact = {"frexp", "ldexp", "floor", "isnan", "inf", "nan"}
    for function in (ln, ln1p, exp, arithmetic._logarithm):
        names = set(plain(function).__code__.co_names)  # type: ignore[attr-defined]
        assert names.isdisjoint(set(vars(math)) - exact)
        assert "np" not in names
