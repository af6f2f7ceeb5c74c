"""What play-outs say of the jobs that could go first, with what the network sees of them.

Most choices are near ties, so a network learns little from which job was best; it learns from how
much each one saves. The policy that is learned plays, and the search labels the choices that it
meets (DAgger: Ross, Gordon, Bagnell, AISTATS 2011).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path

import numpy as np

from agents.training.job_index.task import simulation
from envs.gym.episodes import Episode
from scheduler.arrays import Floats
from scheduler.compilation.columns import Floats2D, Floats3D, Ints
from scheduler.decisions.kernel import choices, choosing
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH
from scheduler.decisions.kernel.rules.allowed import free_to_choose
from scheduler.decisions.kernel.wgc import PATIENCE
from scheduler.decisions.search.result import SearchResult
from scheduler.decisions.state.world import World
from scheduler.files import write_bytes
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.search import SearchedPolicy


@dataclass(frozen=True, slots=True)
class JobLabels:
    """n choices between at most K jobs; absent ones have NaN gains and zeros otherwise."""

    columns: Floats3D
    """(n, K, job and cluster columns)."""
    bases: Floats2D
    """(n, K) the base's index."""
    gains: Floats2D
    """(n, K) what a job first saves against the policy's own choice: the mean over the futures."""
    decisions: Ints
    """(episodes,) Jobs of each episode that was played."""

    @classmethod
    def of(cls, parts: Iterable[JobLabels]) -> JobLabels:
        """The parts in order; at least one part."""
        parts = tuple(parts)
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def advantages(self, clip: float) -> Floats2D:
        """(n, K) gains in units of their mean size, within ±`clip`; 0 where a job is absent."""
        sizes = np.abs(self.gains[np.isfinite(self.gains) & (self.gains != 0.0)])
        unit = float(sizes.mean()) if len(sizes) else 1.0
        return np.nan_to_num(np.clip(self.gains / unit, -clip, clip))

    def save(self, file: Path) -> None:
        """Write all choices, or no file."""
        content = BytesIO()
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        np.savez_compressed(content, **columns)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, content.getvalue())

    @classmethod
    def load(cls, file: Path) -> JobLabels:
        """The choices that `save` wrote."""
        with np.load(file, allow_pickle=False) as content:
            return cls(*(content[each.name] for each in fields(cls)))


def labelled(
    episode: Episode, player: LearnedIndex, search: SearchedPolicy, share: float, seed: int
) -> JobLabels:
    """Let `player` play an episode to its end, while `search` labels a share of its choices.

    `seed`: of the draw of these choices.
    """
    draws = np.random.default_rng(seed)
    played, most = simulation(episode), search.settings.jobs
    kept: list[tuple[Floats2D, Floats, Floats]] = []
    while played.next() is not None:
        world = played.world
        while True:
            row = choosing.choose(world.handle, *player.scorer)
            if row < 0:
                break
            if draws.random() < share and free_to_choose(world.handle):
                found = search.search(world)
                if found is not None:
                    kept += _described(world, player, found, most)
            if choices.take(world.handle, row) in (choices.WAIT, choices.REFUSED):
                break
        played.episode.commit(episode.spec.mode)
    decisions = np.array([len(episode.workload.jobs)])
    if not kept:
        empty = np.zeros((0, most))
        return JobLabels(np.zeros((0, most, JOB_WIDTH + CLUSTER_WIDTH)), empty, empty, decisions)
    columns, bases, gains = (np.stack(each) for each in zip(*kept, strict=True))
    return JobLabels(columns, bases, gains, decisions)


def _described(
    world: World, player: LearnedIndex, found: SearchResult, most: int
) -> list[tuple[Floats2D, Floats, Floats]]:
    """The jobs that were tried, each once; nothing if there are fewer than two."""
    slots, first = np.unique(world.row_slot[found.rows], return_index=True)
    jobs = np.sort(first[slots > 0])[:most]
    bases, columns = player.describe(world, world.row_slot[found.rows[jobs]])
    eligible = bases > PATIENCE
    if eligible.sum() < 2:
        return []
    jobs, count = jobs[eligible], int(eligible.sum())
    kept = np.zeros((most, columns.shape[1])), np.zeros(most), np.full(most, np.nan)
    kept[0][:count], kept[1][:count] = columns[eligible], bases[eligible]
    kept[2][:count] = found.gains[jobs]
    return [kept]
