"""The network of a learned policy: the same weights score every row, in the light of all rows.

A row's score depends on the row, on the mean and the maximum over all rows, and on the columns of
the whole table. Shared row weights with pooled context: Zaheer et al., "Deep Sets", NeurIPS 2017.
Without hidden layers it is a linear function of the row.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats32, Floats32x2D
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.columns import ROW_FEATURES, WHOLE_FEATURES

_ZERO = np.float32(0.0)


@entry_point
def score_rows(
    seen: Floats32x2D,
    rows: int,
    whole: Floats32,
    hidden: int,
    weights: Floats32,
    scores: Floats32,
) -> None:
    """Into `scores`: the scores of the first `rows` rows of an encoding.

    (columns, ≥ rows) `seen`, (columns,) `whole`. `weights`: layer by layer, (inputs, outputs) and
    then biases: two layers of the row, its part of the last layer, the context, its part of the
    last layer, the score. Without hidden units: one weight per column, and a bias.
    """
    if hidden == 0:
        _score_linearly(seen, rows, weights, scores)
        return
    first, second = np.empty((rows, hidden), np.float32), np.empty((rows, hidden), np.float32)
    at = _embed(seen, rows, weights, first, second)
    at = _layer(second, hidden, weights, at, first)
    context, common = np.empty((1, hidden), np.float32), np.empty((1, hidden), np.float32)
    at = _summarise(second, whole, weights, at, context)
    at = _layer(context, hidden, weights, at, common)
    for row in range(rows):
        total = weights[at + hidden]
        for unit in range(hidden):
            total += max(first[row, unit] + common[0, unit], _ZERO) * weights[at + unit]
        scores[row] = total


@compiled
def _embed(
    seen: Floats32x2D, rows: int, weights: Floats32, first: Floats32x2D, second: Floats32x2D
) -> int:
    """Into `second`: the embedding of each row, by two layers."""
    turned = np.empty((rows, ROW_FEATURES), np.float32)
    for column in range(ROW_FEATURES):
        for row in range(rows):
            turned[row, column] = seen[column, row]
    at = _layer(turned, ROW_FEATURES, weights, 0, first)
    _rectify(first)
    at = _layer(first, first.shape[1], weights, at, second)
    _rectify(second)
    return at


@compiled
def _summarise(
    embedded: Floats32x2D, whole: Floats32, weights: Floats32, at: int, context: Floats32x2D
) -> int:
    """Into `context`: a layer of the mean and the maximum over rows, and the whole table."""
    hidden = embedded.shape[1]
    pooled = np.empty((1, 2 * hidden + WHOLE_FEATURES), np.float32)
    _pool(embedded, pooled)
    for column in range(WHOLE_FEATURES):
        pooled[0, 2 * hidden + column] = whole[column]
    at = _layer(pooled, 2 * hidden + WHOLE_FEATURES, weights, at, context)
    _rectify(context)
    return at


@compiled
def _layer(
    values: Floats32x2D, inputs: int, weights: Floats32, at: int, results: Floats32x2D
) -> int:
    """Results of a linear layer whose weights begin at `at`; returns where they end.

    Inputs that are 0, as about half of them are behind a rectifier, are left out. Of the others
    four are added at once, so that results are read and written a quarter as often.
    """
    rows, outputs = results.shape
    biases, used = at + inputs * outputs, np.empty(inputs + 1, np.int64)
    for row in range(rows):
        result, count = results[row], 0
        for i in range(inputs):
            used[count] = i
            count += values[row, i] != _ZERO
        for unit in range(outputs):
            result[unit] = weights[biases + unit]
        whole = count - count % 4
        for k in range(0, whole, 4):
            a, b = values[row, used[k]], values[row, used[k + 1]]
            c, d = values[row, used[k + 2]], values[row, used[k + 3]]
            one, two = weights[at + used[k] * outputs :], weights[at + used[k + 1] * outputs :]
            three = weights[at + used[k + 2] * outputs :]
            four = weights[at + used[k + 3] * outputs :]
            for unit in range(outputs):
                left = a * one[unit] + b * two[unit]
                result[unit] += left + (c * three[unit] + d * four[unit])
        for k in range(whole, count):
            a, one = values[row, used[k]], weights[at + used[k] * outputs :]
            for unit in range(outputs):
                result[unit] += a * one[unit]
    return biases + outputs


@compiled
def _rectify(values: Floats32x2D) -> None:
    for row in range(values.shape[0]):
        for unit in range(values.shape[1]):
            values[row, unit] = max(values[row, unit], _ZERO)


@compiled
def _pool(values: Floats32x2D, pooled: Floats32x2D) -> None:
    """Mean and maximum over rows; no value is negative."""
    rows, units = values.shape
    for unit in range(2 * units):
        pooled[0, unit] = _ZERO
    for row in range(rows):
        for unit in range(units):
            pooled[0, unit] += values[row, unit]
            pooled[0, units + unit] = max(pooled[0, units + unit], values[row, unit])
    for unit in range(units):
        pooled[0, unit] /= np.float32(rows)


@compiled
def _score_linearly(seen: Floats32x2D, rows: int, weights: Floats32, scores: Floats32) -> None:
    for row in range(rows):
        scores[row] = weights[ROW_FEATURES]
    for column in range(ROW_FEATURES):
        for row in range(rows):
            scores[row] += weights[column] * seen[column, row]
