"""Logarithm, exponential and sum that give the same bits on every machine, compiled or not.

Those of NumPy and of C libraries differ in the last bit between CPUs. These use only additions,
multiplications, divisions and exact scaling, which IEEE 754 defines to the last bit.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scheduler.compilation.columns import Floats
from scheduler.compilation.functions import compiled

_LN2_HIGH: Final = 6.93147180369123816490e-01
"""The leading bits of the logarithm of 2: any exponent times it is exact."""
_LN2_LOW: Final = 1.90821492927058770002e-10
_LOG2_E: Final = 1.44269504088896338700e00
_SQRT_HALF: Final = 0.70710678118654752440
_EXP_MAX: Final = 7.09782712893383973096e02
"""Beyond it the exponential is infinite."""
_EXP_MIN: Final = -7.45133219101941108420e02
"""Below it the exponential is zero."""
_BLOCK: Final = 128
"""NumPy sums at most so many values in a row."""
_DEPTH: Final = 64
"""Halving an array reaches a block in fewer steps than a length has bits."""


@compiled
def ln(x: float) -> float:
    """The natural logarithm, to 1 unit in the last place; -inf at 0, NaN below.

    From FDLIBM (Sun Microsystems, 1993): x = 2^k (1 + f), and a polynomial for 1 + f.
    """
    if x <= 0.0:
        return -math.inf if x == 0.0 else math.nan
    if not x < math.inf:
        return x
    mantissa, exponent = math.frexp(x)
    if mantissa < _SQRT_HALF:
        mantissa, exponent = mantissa * 2.0, exponent - 1
    return _logarithm(mantissa - 1.0, exponent, 0.0)


@compiled
def ln1p(x: float) -> float:
    """The natural logarithm of 1 + x, to 1 unit in the last place; -inf at -1, NaN below.

    From FDLIBM: as `ln`, with a term for what 1 + x loses in rounding.
    """
    if x <= -1.0:
        return -math.inf if x == -1.0 else math.nan
    if not x < math.inf or abs(x) < 2.0**-54:
        return x
    if -0.2929 < x < 0.41422:
        return _logarithm(x, 0, 0.0)
    one = 1.0 + x
    lost = (1.0 - (one - x) if x > 1.0 else x - (one - 1.0)) / one
    mantissa, exponent = math.frexp(one)
    if mantissa < _SQRT_HALF:
        mantissa, exponent = mantissa * 2.0, exponent - 1
    return _logarithm(mantissa - 1.0, exponent, lost)


@compiled
def exp(x: float) -> float:
    """The exponential, to 1 unit in the last place; inf above 709.78, 0 below -745.13.

    From FDLIBM: x = k ln 2 + r, and a rational function for r (Remez, on |r| <= ln 2 / 2).
    """
    if math.isnan(x):
        return x
    if x > _EXP_MAX:
        return math.inf
    if x < _EXP_MIN:
        return 0.0
    exponent = math.floor(x * _LOG2_E + 0.5)
    high = x - exponent * _LN2_HIGH
    low = exponent * _LN2_LOW
    r = high - low
    t = r * r
    p = 6.61375632143793436117e-05 + t * (
        -1.65339022054652515390e-06 + t * 4.13813679705723846039e-08
    )
    c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 + t * p))
    value = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    return math.ldexp(value, exponent)


@compiled
def power(x: float, y: float) -> float:
    """The power x^y for x >= 0; its relative error is about (1 + |y ln x|) 2^-53."""
    if y == 0.0:
        return 1.0
    return x if y == 1.0 else exp(y * ln(x))


@compiled
def pairwise_sum(values: Floats, count: int) -> float:
    """The sum of the first `count` values, rounded as NumPy's `sum` of them is.

    Halves are summed apart, down to blocks (Higham, "The accuracy of floating point summation",
    1993). The halves that wait are on a stack, as compiled functions must not call themselves.
    """
    if count <= _BLOCK:
        return 0.0 + _block_sum(values, 0, count)
    left = np.empty(_DEPTH)
    right_size = np.empty(_DEPTH, np.int64)
    depth = 0
    start = 0
    size = count
    while True:
        while size > _BLOCK:
            half = size // 2
            half -= half % 8
            right_size[depth] = size - half
            depth += 1
            size = half
        total = _block_sum(values, start, size)
        start += size
        while depth > 0 and right_size[depth - 1] == 0:
            depth -= 1
            total = left[depth] + total
        if depth == 0:
            return 0.0 + total
        left[depth - 1] = total
        size = right_size[depth - 1]
        right_size[depth - 1] = 0


@compiled
def _logarithm(f: float, exponent: int, lost: float) -> float:
    s = f / (2.0 + f)
    z = s * s
    r = 1.531383769920937332e-01 + z * 1.479819860511658591e-01
    r = 2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * r)
    r = z * (
        6.666666666666735130e-01
        + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * r))
    )
    half = 0.5 * f * f
    rest = s * (half + r) + (exponent * _LN2_LOW + lost)
    return exponent * _LN2_HIGH - ((half - rest) - f)


@compiled
def _block_sum(values: Floats, start: int, count: int) -> float:
    if count < 8:
        few = -0.0
        for i in range(start, start + count):
            few += values[i]
        return few
    a, b, c, d = values[start], values[start + 1], values[start + 2], values[start + 3]
    e, f, g, h = values[start + 4], values[start + 5], values[start + 6], values[start + 7]
    full = start + count - count % 8
    for i in range(start + 8, full, 8):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
        e += values[i + 4]
        f += values[i + 5]
        g += values[i + 6]
        h += values[i + 7]
    total: float = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(full, start + count):
        total += values[i]
    return total
