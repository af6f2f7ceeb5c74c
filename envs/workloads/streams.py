"""Random numbers: one independent stream per purpose, so that changing one changes no other."""

from __future__ import annotations

import numpy as np

Seed = int | np.random.SeedSequence
"""A non-negative number, or a node of a tree of seeds."""


def streams(seed: Seed, count: int) -> list[np.random.Generator]:
    """`count` independent generators; equal seeds always give equal ones."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return [
        np.random.default_rng(
            np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, number))
        )
        for number in range(count)
    ]


def written(seed: Seed) -> str:
    """The seed as text: `7`, or `7/0/1` for a node of a tree."""
    if not isinstance(seed, np.random.SeedSequence):
        return str(seed)
    return "/".join(map(str, (seed.entropy, *seed.spawn_key)))
