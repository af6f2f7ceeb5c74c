"""The weights of a policy's network, as the decision kernel evaluates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.serving.onnx_weights import constants
from scheduler.arrays import Floats32
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.encoder import unflatten
from scheduler.decisions.kernel.learned.network import score_rows

PADDING = -1e8
"""Score of an absent row."""
LAYERS = ("pooled.row.0", "pooled.row.2", "own", "pooled.context.0", "common", "score")
"""Names of the layers, in the order in which the kernel reads their weights."""


@dataclass(frozen=True, slots=True)
class NetworkWeights:
    """A network in one array: see `scheduler.decisions.kernel.learned.network`."""

    hidden: int
    """Units of each hidden layer; 0: the scores are linear in the columns."""
    values: Floats32 = field(repr=False)

    def __post_init__(self) -> None:
        """Raises `ValueError` if there are not as many weights as the layers need."""
        needed = sum(inputs * outputs + outputs for inputs, outputs in _sizes(self.hidden))
        if self.values.shape != (needed,):
            raise ValueError(
                f"{self.values.shape} weights; {self.hidden} hidden units need {needed}"
            )

    def scores(self, encodings: Floats32) -> Floats32:
        """(…, size(K)) encodings → (…, K) scores; `PADDING` for rows that are absent."""
        rows = (encodings.shape[-1] - len(GLOBAL_COLUMNS)) // len(ROW_COLUMNS)
        scores: Floats32 = np.full((*encodings.shape[:-1], rows), PADDING, dtype=np.float32)
        flat = encodings.reshape(-1, encodings.shape[-1])
        for values, found in zip(flat, scores.reshape(-1, rows), strict=True):
            shown, whole = unflatten(values, rows)
            seen, present = np.ascontiguousarray(shown.T), int((shown[:, 0] > 0.5).sum())
            score_rows(seen, present, whole.copy(), self.hidden, self.values, found)
        return scores


def of_model(model: bytes) -> NetworkWeights:
    """The weights of an exported ONNX model.

    Raises `ValueError` if the model has not the layers of a policy.
    """
    found = constants(model)
    names = [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    return _packed([found[name] for name in names])


def of_state(state: Mapping[str, NDArray[np.float32]]) -> NetworkWeights:
    """The weights of a network by the names of its layers: (outputs, inputs), and biases."""
    return _packed(
        [
            values
            for layer in LAYERS
            for values in (state[f"{layer}.weight"].T, state[f"{layer}.bias"])
        ]
    )


def _packed(layers: list[NDArray[np.float32]]) -> NetworkWeights:
    values = np.concatenate([layer.ravel() for layer in layers], dtype=np.float32)
    return NetworkWeights(len(layers[1]), values)


def _sizes(hidden: int) -> tuple[tuple[int, int], ...]:
    """(inputs, outputs) of each layer."""
    columns, whole = len(ROW_COLUMNS), len(GLOBAL_COLUMNS)
    if hidden == 0:
        return ((columns, 1),)
    square = (hidden, hidden)
    return ((columns, hidden), square, square, (2 * hidden + whole, hidden), square, (hidden, 1))
