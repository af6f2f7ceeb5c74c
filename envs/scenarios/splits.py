"""Splits: what workloads are for. Different splits share no randomness."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from scheduler.domain.errors import InputError


class Split(StrEnum):
    """What a workload is for."""

    TRAIN = "train"
    """Policies learn from it."""
    VALIDATION = "validation"
    """Validation: decides when to stop training and which weights to keep."""
    TUNING = "tuning"
    """Parameters of heuristics and hyper-parameters are chosen on it."""
    TEST = "test"
    """Held out; use only for the final evaluation."""


SHARES = {Split.TRAIN: 0.6, Split.VALIDATION: 0.1, Split.TUNING: 0.1, Split.TEST: 0.2}
"""Shares of a trace's rows, consecutive, in this order."""
WORKLOAD, CLUSTER = 0, 1
"""What is drawn; it is the second number of a seed's key."""


def place(seed: int, split: Split | str, purpose: int) -> np.random.SeedSequence:
    """The root of all randomness of one workload or cluster.

    Raises `InputError` for an unknown split or a negative seed.
    """
    try:
        number = list(Split).index(Split(split))
    except ValueError:
        raise InputError(f"no split {split!r}", {"split": f"one of {', '.join(Split)}"}) from None
    if seed < 0:
        raise InputError(f"seed {seed} is negative", {"seed": "a whole number ≥ 0"})
    return np.random.SeedSequence(seed, spawn_key=(number, purpose))


def rows(split: Split, count: int) -> tuple[int, int]:
    """First row and first row beyond, of `count`, that belong to a split."""
    before = 0.0
    for name, share in SHARES.items():
        if name is split:
            return round(before * count), round((before + share) * count)
        before += share
    raise AssertionError(split)
