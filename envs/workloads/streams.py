"""Random numbers: one independent stream per purpose, so that changing one changes no other."""

from __future__ import annotations

import numpy as np

Seed = int | np.random.SeedSequence
"""A non-negative number, or a place in a tree of seeds."""


def streams(seed: Seed, count: int) -> list[np.random.Generator]:
    """`count` independent generators; equal seeds give equal ones, however often they are asked."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return [
        np.random.default_rng(
            np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, number))
        )
        for number in range(count)
    ]


def written(seed: Seed) -> str:
    """The seed for a person: `7`, or `7/0/1` for a place in a tree."""
    if not isinstance(seed, np.random.SeedSequence):
        return str(seed)
    return "/".join(map(str, (seed.entropy, *seed.spawn_key)))
