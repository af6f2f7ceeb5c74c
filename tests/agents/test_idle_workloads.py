"""Training on drawn scenarios: some draws leave nothing to decide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.training.config import Training
from agents.training.environments.env import TRIES, BaselineRewardEnv
from envs.gym.episodes import Episode, NothingToDecideError
from envs.scenarios import load


def test_draws_that_leave_nothing_to_decide_are_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = _env()
    met = _idle(monkeypatch, env, 3)
    env.reset(seed=1)
    assert len(met) == 4
    assert env.action_masks().any()


def test_a_scenario_that_never_leaves_a_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    env = _env()
    met = _idle(monkeypatch, env, TRIES + 1)
    with pytest.raises(NothingToDecideError):
        env.reset(seed=1)
    assert len(met) == TRIES


def test_a_workload_that_was_asked_for_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    env = _env()
    _idle(monkeypatch, env, 1)
    with pytest.raises(NothingToDecideError):
        env.reset(options={"workload": 3})


def _env() -> BaselineRewardEnv:
    return BaselineRewardEnv(load("mixed-cloud"), Training(jobs=20))


def _idle(monkeypatch: pytest.MonkeyPatch, env: BaselineRewardEnv, count: int) -> list[int]:
    """The first `count` workloads that are drawn have no jobs; returns the seeds of all."""
    draw, met = env._episodes, []

    def draws(workload: int) -> Episode:
        met.append(workload)
        episode = draw(workload)
        if len(met) > count:
            return episode
        return replace(episode, workload=replace(episode.workload, jobs=(), counted=None))

    monkeypatch.setattr(env, "_episodes", draws)
    return met
