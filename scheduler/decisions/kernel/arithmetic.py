from __future__ import annotations

import math

from scheduler.compilation.functions import compiled


@compiled
def ln(x):
    return math.log(x)


@compiled
def ln1p(x):
    return math.log1p(x)


@compiled
def exp(x):
    return math.e ** x


@compiled
def power(x, y):
    if y == 0.0:
        return 1.0
    if y == 1.0:
        return x
    return exp(y * ln(x))


@compiled
def pairwise_sum(values, count):
    total = 0.0
    for i in range(count):
        total += values[i]
    return total
