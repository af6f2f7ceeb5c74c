"""Training a policy: imitate a teacher, then maskable PPO, validated against the heuristics.

PPO: Schulman et al., arXiv 1707.06347; masks: Huang, Ontañón, FLAIRS 2022.

A run is a folder: `config.json`, `checkpoint/` to go on from, `curve.json`, and `best/`, the
artefact of the weights that were best on validation workloads, raw or averaged.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents import config as configs
from agents.artefact import Manifest, digest, save
from agents.averaging import Average
from agents.config import Training
from agents.export import exported
from agents.manifest import commit, versions
from agents.network import RowPolicy, Scorer
from agents.teaching import collect, teach
from agents.validation import Score, Validation, greedy
from agents.world import vectorised
from envs.scenarios import Scenario, load
from scheduler.decisions import encoding
from scheduler.domain.errors import ConflictError, InvalidError

CHECKPOINT, BEST, CURVE = "checkpoint", "best", "curve.json"
_MODEL, _REST, _PROGRESS = "model.zip", "rest.pt", "progress.json"
LIBRARIES = ("fulcrum-scheduler", "numpy", "torch", "stable-baselines3", "sb3-contrib", "onnx")


@dataclass(frozen=True, slots=True)
class Event:
    """How far a training is."""

    stage: str
    """`lessons`, `learning` or `validated`."""
    done: float
    """Share of the stage."""
    scores: dict[str, Score] = field(default_factory=dict)
    """Of `validated`: `raw` and `averaged`."""
    steps: int = 0


Tell = Callable[[Event], None]


@dataclass(slots=True)
class Progress:
    """What a resumed training must know beside the weights."""

    rollouts: int = 0
    best: float = float("inf")
    """Mean ratio to the reference of what lies in `best/`."""
    stale: int = 0
    """Validations since the best."""
    seconds: float = 0.0
    """Of all that was done so far, lessons and validations included."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    heuristics: dict[str, Any] = field(default_factory=dict)


def train(config: Training, run: Path, command: str = "", tell: Tell = lambda _: None) -> Progress:
    """Train from the start; leaves everything in the folder `run`.

    Raises `ConflictError` if there is a training in it already.
    """
    if (run / configs.FILE).exists():
        raise ConflictError(f"{run} holds a training", {"resume": "the folder, to go on with it"})
    begun = time.monotonic()
    scenario = load(config.scenario)
    run.mkdir(parents=True, exist_ok=True)
    _quiet()
    env = vectorised(scenario, config, config.seed)
    try:
        model = _model(config, env, run)
        if config.teacher is not None:
            lessons = collect(scenario, config, lambda done: tell(Event("lessons", done)))
            assert isinstance(model.policy, RowPolicy)
            teach(model.policy, lessons, config)
        progress = Progress(seconds=time.monotonic() - begun)
        return _learn(config, scenario, model, run, command, tell, progress, None)
    finally:
        env.close()


def resume(run: Path, command: str = "", tell: Tell = lambda _: None) -> Progress:
    """Go on from the last checkpoint; episodes begin anew.

    Raises `InvalidError` if there is none.
    """
    config = configs.read(run)
    folder = run / CHECKPOINT
    if not (folder / _PROGRESS).is_file():
        raise InvalidError(f"{run} has no checkpoint", {"resume": "a run that got that far"})
    progress = Progress(**json.loads((folder / _PROGRESS).read_text()))
    scenario = load(config.scenario)
    _quiet()
    # Other episodes than those that were seen, but the same ones whenever this is done.
    env = vectorised(scenario, config, config.seed + 10_000 * progress.rollouts)
    try:
        model = MaskablePPO.load(folder / _MODEL, env=env, device="cpu")
        rest = torch.load(folder / _REST, weights_only=True)
        return _learn(config, scenario, model, run, command, tell, progress, rest)
    finally:
        env.close()


def _learn(
    config: Training,
    scenario: Scenario,
    model: MaskablePPO,
    run: Path,
    command: str,
    tell: Tell,
    progress: Progress,
    rest: dict[str, object] | None,
) -> Progress:
    steps = config.rollouts * config.rollout - model.num_timesteps
    course = _Course(config, scenario, run, command, tell, progress, rest)
    if steps > 0:
        model.learn(steps, callback=course, reset_num_timesteps=model.num_timesteps == 0)
    return progress


class _Course(BaseCallback):
    """Between rollouts: averages, validates, keeps the best, writes checkpoints."""

    def __init__(
        self,
        config: Training,
        scenario: Scenario,
        run: Path,
        command: str,
        tell: Tell,
        progress: Progress,
        rest: dict[str, object] | None,
    ) -> None:
        super().__init__()
        self._config = config
        self._scenario = scenario
        self._run = run
        self._command = command
        self._tell = tell
        self._progress = progress
        self._rest = rest
        self._fresh = True
        self._since = time.monotonic()

    @property
    def _scorer(self) -> Scorer:
        policy = self.model.policy
        assert isinstance(policy, RowPolicy)
        return policy.scorer

    def _on_training_start(self) -> None:
        self._average = Average(self._scorer, self._config.averaging)
        self._validation = Validation(self._scenario, self._config)
        if self._rest is not None:
            self._average.restore(self._rest)
            return
        self._progress.heuristics = {
            name: asdict(score) for name, score in self._validation.table().items()
        }
        # What the teacher left is the first that counts.
        self._validate()
        self._checkpoint()
        # Now there is something to go on from: before, the same command begins anew.
        self._config.save(self._run)

    def _on_step(self) -> bool:
        return self._progress.stale < self._config.patience

    def _on_rollout_start(self) -> None:
        # Stable-Baselines3 calls this before a rollout, that is after the update before it.
        if not self._fresh:
            self._updated()
        self._fresh = False

    def _on_training_end(self) -> None:
        if self._progress.stale < self._config.patience:
            self._updated()

    def _updated(self) -> None:
        progress, config = self._progress, self._config
        progress.rollouts += 1
        self._average.update()
        last = progress.rollouts == config.rollouts
        if last or progress.rollouts % config.validate_every == 0:
            self._validate()
        if last or progress.rollouts % config.checkpoint_every == 0:
            self._checkpoint()
        self._tell(Event("learning", progress.rollouts / config.rollouts, steps=self.num_timesteps))

    def _clock(self) -> float:
        """Seconds of the whole training, earlier parts of a resumed one included."""
        now = time.monotonic()
        self._progress.seconds += now - self._since
        self._since = now
        return round(self._progress.seconds, 1)

    def _validate(self) -> None:
        policy = greedy(self._scorer, self._config, self._scenario)
        scores = {"raw": self._validation.score(policy)}
        if self._progress.rollouts:
            with self._average.applied():
                scores["averaged"] = self._validation.score(policy)
        self._progress.curve.append(
            {"steps": self.num_timesteps, "seconds": self._clock()}
            | {name: asdict(score) for name, score in scores.items()}
        )
        self._progress.stale += 1
        for name, score in scores.items():
            self.logger.record(f"validation/{name}", score.mean)
            if score.mean < self._progress.best:
                self._progress.best = score.mean
                self._progress.stale = 0
                self._keep(name == "averaged", score)
        (self._run / CURVE).write_text(json.dumps(self._progress.curve, indent=2) + "\n")
        share = self._progress.rollouts / self._config.rollouts
        self._tell(Event("validated", share, scores, self.num_timesteps))

    def _keep(self, averaged: bool, score: Score) -> None:
        config = self._config
        if averaged:
            with self._average.applied():
                weights = exported(self._scorer)
        else:
            weights = exported(self._scorer)
        manifest = Manifest(
            sha256=digest(weights),
            encoding=encoding.digest(),
            rows=config.rows,
            mode=str(self._scenario.mode),
            scenario=self._scenario.name,
            scenario_digest=self._scenario.digest,
            seed=config.seed,
            steps=self.num_timesteps,
            averaged=averaged,
            command=self._command,
            commit=commit(),
            versions=versions(LIBRARIES),
            config=asdict(config),
            curve=tuple(self._progress.curve),
            evaluation={"policy": asdict(score), **self._progress.heuristics},
        )
        save(self._run / BEST, weights, manifest)

    def _checkpoint(self) -> None:
        """All of it in a folder of its own, then in place of the last: never half of it."""
        self._clock()
        folder, part = self._run / CHECKPOINT, self._run / f"{CHECKPOINT}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        self.model.save(part / _MODEL)
        torch.save(self._average.state(), part / _REST)
        (part / _PROGRESS).write_text(json.dumps(asdict(self._progress)))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)


def _model(config: Training, env: VecEnv, run: Path) -> MaskablePPO:
    rate = config.learning_rate
    return MaskablePPO(
        RowPolicy,
        env,
        learning_rate=LinearSchedule(rate, config.final_rate * rate, 1.0),
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        target_kl=config.target_kl,
        ent_coef=config.ent_coef,
        policy_kwargs={"hidden": config.hidden},
        tensorboard_log=str(run / "tensorboard") if config.tensorboard else None,
        seed=config.seed,
        device="cpu",
    )


def _quiet() -> None:
    # The networks are small: several threads would wait for each other most of the time.
    torch.set_num_threads(1)
