"""How good a network is on many workloads at once, on the compiled simulation of rigid jobs."""

from __future__ import annotations

import numpy as np
import torch

from agents.training.config import Training
from agents.training.model.network import PolicyNetwork
from envs.compiled import Worlds, facts
from envs.gym.episodes import of_scenario
from envs.gym.rewards import weighed
from envs.scenarios import Scenario, Split
from scheduler.decisions.state.queue import WAIT


class Examination:
    """Episodes that networks are judged by, all of them played at once."""

    def __init__(self, scenario: Scenario, config: Training, split: Split) -> None:
        """Every w of `config.judged_at` on each of `config.validation_workloads`."""
        draw = of_scenario(scenario, config.jobs, split)
        episodes = [draw(seed) for seed in range(config.validation_workloads)]
        self._keys = [(w, seed) for w in config.judged_at for seed in range(len(episodes))]
        self._facts = [facts(episodes[seed], w) for w, seed in self._keys]
        self._worlds = Worlds(episodes[0].spec, len(self._keys), config.jobs, config.rows)
        self._scales = episodes[0].scales

    def objectives(self, scorer: PolicyNetwork) -> dict[tuple[float, int], float]:
        """(w, seed) → objective of the workload when the likeliest row is chosen every time."""
        worlds = self._worlds
        for b, ((w, _), known) in enumerate(zip(self._keys, self._facts, strict=True)):
            worlds.begin(b, known, w)
        while (going := np.flatnonzero(worlds.state.rows)).size:
            with torch.no_grad():
                scores = scorer(torch.as_tensor(worlds.seen[going])).numpy()
            scores[:, WAIT] = -np.inf
            worlds.step(scores.argmax(axis=1), going)
        return {key: self._objective(b) for b, key in enumerate(self._keys)}

    def _objective(self, b: int) -> float:
        """As `Totals.at` of the simulated outcome."""
        worlds, scales, w = self._worlds, self._scales, self._keys[b][0]
        latency = worlds.completion(b) * self._facts[b].impatience[1:]
        if scales.bounded:
            latency = np.maximum(latency, 1.0 / scales.slowdown)
        dollars = float(worlds.state.spent[b]) * worlds.dollars_per_device_s
        return weighed(float(latency.sum()), dollars, w, cost_scale=scales.dollars)
