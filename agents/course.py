"""What happens between rollouts, whatever the algorithm: the course of a training."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.artefact import Manifest, digest, save
from agents.averaging import Average
from agents.config import Training
from agents.export import exported
from agents.manifest import commit, versions
from agents.network import RowPolicy, Scorer
from agents.search import SearchPolicy
from agents.validation import Score, Validation
from envs.scenarios import Scenario
from scheduler.decisions import encoding

CHECKPOINT, BEST, CURVE = "checkpoint", "best", "curve.json"
MODEL, REST, PROGRESS = "model.zip", "rest.pt", "progress.json"
"""In a checkpoint: the algorithm's own, the averaged weights, and `Progress`."""
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
    """Least mean ratio to the reference of any validation."""
    stale: int = 0
    """Validations since the best."""
    seconds: float = 0.0
    """Of all that was done so far, lessons and validations included."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    heuristics: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    """All command lines that had a part in it, in order."""


class Course(BaseCallback):
    """Between rollouts: averages, validates, keeps the best, writes checkpoints."""

    def __init__(
        self,
        config: Training,
        scenario: Scenario,
        run: Path,
        tell: Tell,
        progress: Progress,
        rest: dict[str, object] | None,
    ) -> None:
        super().__init__()
        self._config = config
        self._scenario = scenario
        self._run = run
        self._tell = tell
        self._progress = progress
        self._rest = rest
        self._fresh = True
        self._since = time.monotonic()

    @property
    def _scorer(self) -> Scorer:
        policy = self.model.policy
        assert isinstance(policy, RowPolicy | SearchPolicy)
        return policy.scorer

    @property
    def _share(self) -> float:
        """Of the whole training."""
        return min(1.0, self.num_timesteps / self._config.goal)

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
        last = self.num_timesteps >= config.goal
        if last or progress.rollouts % config.validate_every == 0:
            self._validate()
        if last or progress.rollouts % config.checkpoint_every == 0:
            self._checkpoint()
        self._tell(Event("learning", self._share, steps=self.num_timesteps))

    def _clock(self) -> float:
        """Seconds of the whole training, earlier parts of a resumed one included."""
        now = time.monotonic()
        self._progress.seconds += now - self._since
        self._since = now
        return round(self._progress.seconds, 1)

    def _validate(self) -> None:
        scores = {"raw": self._validation.judge(self._scorer)}
        if self._progress.rollouts:
            with self._average.applied():
                scores["averaged"] = self._validation.judge(self._scorer)
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
                if self._config.keep == "best":
                    self._keep(name == "averaged", score)
        if self._config.keep == "last":
            name, score = list(scores.items())[-1]
            self._keep(name == "averaged", score)
        (self._run / CURVE).write_text(json.dumps(self._progress.curve, indent=2) + "\n")
        self._tell(Event("validated", self._share, scores, self.num_timesteps))

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
            command=self._progress.command,
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
        self.model.save(part / MODEL)
        torch.save(self._average.state(), part / REST)
        (part / PROGRESS).write_text(json.dumps(asdict(self._progress)))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
