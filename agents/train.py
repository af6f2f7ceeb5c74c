"""Training a policy: imitate a teacher, then learn, validated against the heuristics.

Maskable PPO: Schulman et al., arXiv 1707.06347; masks: Huang, Ontañón, FLAIRS 2022.
Augmented random search: Mania, Guy, Recht, NeurIPS 2018.

A run is a folder: `config.json`, `checkpoint/` to go on from, `curve.json`, and `best/`, the
artefact of the weights that were best on validation workloads, raw or averaged (with `keep=last`:
of those that were averaged last).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from agents import config as configs
from agents.algorithms import MAKERS, Model
from agents.config import Training
from agents.course import (
    BEST,
    CHECKPOINT,
    CURVE,
    MODEL,
    PROGRESS,
    REST,
    Course,
    Event,
    Progress,
    Tell,
)
from agents.network import RowPolicy
from agents.search import APART, RowSearch, SearchPolicy
from agents.teaching import taught
from envs.scenarios import Scenario, load
from scheduler.domain.errors import ConflictError, InvalidError

__all__ = ["BEST", "CHECKPOINT", "CURVE", "Event", "Progress", "Tell", "resume", "train"]


def train(config: Training, run: Path, command: str = "", tell: Tell = lambda _: None) -> Progress:
    """Train from the start; leaves everything in the folder `run`.

    Raises `ConflictError` if there is a training in it already.
    """
    if (run / configs.FILE).exists():
        raise ConflictError(f"{run} holds a training", {"resume": "the folder, to go on with it"})
    begun = time.monotonic()
    scenario = load(config.scenario)
    maker = MAKERS[config.algo]
    run.mkdir(parents=True, exist_ok=True)
    _quiet()
    env = maker.environments(scenario, config, config.seed)
    try:
        model = maker.begin(config, env, run)
        if config.teacher is not None:
            assert isinstance(model.policy, RowPolicy | SearchPolicy)
            taught(model.policy, scenario, config, lambda done: tell(Event("lessons", done)))
            if isinstance(model, RowSearch):
                model.adopt()
        progress = Progress(seconds=time.monotonic() - begun, command=command)
        return _learn(config, scenario, model, run, tell, progress, None)
    finally:
        env.close()


def resume(run: Path, command: str = "", tell: Tell = lambda _: None) -> Progress:
    """Go on from the last checkpoint; episodes begin anew.

    Raises `InvalidError` if there is none.
    """
    config = configs.read(run)
    folder = run / CHECKPOINT
    if not (folder / PROGRESS).is_file():
        raise InvalidError(f"{run} has no checkpoint", {"resume": "a run that got that far"})
    progress = Progress(**json.loads((folder / PROGRESS).read_text()))
    progress.command = " && ".join(filter(None, (progress.command, command)))
    scenario, maker = load(config.scenario), MAKERS[config.algo]
    _quiet()
    # Other episodes than those that were seen, but the same ones whenever this is done.
    seed = config.seed + APART * progress.rollouts
    env = maker.environments(scenario, config, seed)
    try:
        model = maker.load(folder / MODEL, env, seed)
        rest = torch.load(folder / REST, weights_only=True)
        return _learn(config, scenario, model, run, tell, progress, rest)
    finally:
        env.close()


def _learn(
    config: Training,
    scenario: Scenario,
    model: Model,
    run: Path,
    tell: Tell,
    progress: Progress,
    rest: dict[str, object] | None,
) -> Progress:
    steps = config.goal - model.num_timesteps
    course = Course(config, scenario, run, tell, progress, rest)
    if steps > 0:
        model.learn(steps, callback=course, reset_num_timesteps=model.num_timesteps == 0)
    return progress


def _quiet() -> None:
    # The networks are small: several threads would wait for each other most of the time.
    torch.set_num_threads(1)
