"""What happens between rollouts, whatever the algorithm: averages, validations, checkpoints."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.cpu_time import cpu_seconds
from agents.evaluation.provenance import versions
from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST, ArtifactManifest, CurvePoint, digest, save
from agents.training.model.ema import Average
from agents.training.model.network import PolicyNetwork, RowPolicy
from agents.training.model.onnx_export import exported
from agents.training.progress import (
    CHECKPOINT,
    CURVE,
    DEMONSTRATIONS,
    REPLACED_CHECKPOINT,
    Tell,
    TrainingEvent,
    TrainingProgress,
)
from agents.training.random_search import SearchPolicy
from agents.training.scores import Score
from agents.training.validation import Validation
from agents.training.worker import TrainingContext
from scheduler.decisions.features.digest import ENCODING
from scheduler.files import write_text

MODEL, REST = "model.zip", "rest.pt"
"""In a checkpoint: the algorithm's own file, and the averaged weights."""
_PART = f"{CHECKPOINT}.part"
LIBRARIES = ("fulcrum-scheduler", "numpy", "torch", "stable-baselines3", "sb3-contrib", "onnx")


class TrainingCallback(BaseCallback):
    """Between rollouts: averages, validates, keeps the best, writes checkpoints."""

    def __init__(
        self,
        pool: ProcessPool[TrainingContext],
        run: Path,
        tell: Tell,
        progress: TrainingProgress,
        rest: dict[str, object] | None,
    ) -> None:
        super().__init__()
        self._pool = pool
        self._scenario, self._config = pool.context.scenario, pool.context.config
        self._run = run
        self._tell = tell
        self._progress = progress
        self._rest = rest
        self._fresh = True
        self._since, self._cpu_since = time.monotonic(), cpu_seconds()

    @property
    def _network(self) -> PolicyNetwork:
        policy = self.model.policy
        assert isinstance(policy, RowPolicy | SearchPolicy)
        return policy.scorer

    @property
    def _share(self) -> float:
        """Share of the learning that is done."""
        return min(1.0, self.num_timesteps / self._config.goal)

    def _on_training_start(self) -> None:
        self._tell(TrainingEvent("heuristics", 0.0))
        self._average = Average(self._network, self._config.averaging)
        self._validation = Validation(self._pool)
        if self._rest is None:
            self._first()
        else:
            self._average.restore(self._rest)
        self._tell(TrainingEvent("heuristics", 1.0))
        self._tell(TrainingEvent("learning", self._share, steps=self.num_timesteps))

    def _first(self) -> None:
        """Validate what imitation left, and write the first checkpoint."""
        table = self._validation.table(
            tell=lambda done: self._tell(TrainingEvent("heuristics", done))
        )
        self._progress.heuristics = {name: score.judged() for name, score in table.items()}
        self._validate()
        self._checkpoint()

    def _on_step(self) -> bool:
        return not self._progress.over(self._config)

    def _on_rollout_start(self) -> None:
        # Stable-Baselines3 calls this before a rollout, that is after the update before it.
        if not self._fresh:
            self._updated()
        self._fresh = False

    def _on_training_end(self) -> None:
        if not self._progress.over(self._config):
            self._updated()

    def _updated(self) -> None:
        progress, config = self._progress, self._config
        progress.rollouts += 1
        self._average.update()
        last = self.num_timesteps >= config.goal
        validated = last or progress.rollouts % config.validate_every == 0
        if validated:
            self._validate()
        # The weights that are kept and the progress belong together: a training that resumed from
        # before a validation would take the next weights for better than those it kept.
        if validated or progress.rollouts % config.checkpoint_every == 0:
            self._checkpoint()
        self._tell(TrainingEvent("learning", self._share, steps=self.num_timesteps))

    def _clock(self) -> tuple[float, float]:
        """(seconds, processor seconds) of the training, earlier parts of a resumed one included."""
        now, spent, progress = time.monotonic(), cpu_seconds(), self._progress
        progress.seconds += now - self._since
        progress.cpu_seconds += spent - self._cpu_since
        self._since, self._cpu_since = now, spent
        return round(progress.seconds, 1), round(progress.cpu_seconds, 1)

    def _validate(self) -> None:
        scores = {"raw": self._validation.evaluate(self._network)}
        if self._progress.rollouts:
            with self._average.applied():
                scores["averaged"] = self._validation.evaluate(self._network)
        seconds, spent = self._clock()
        point = CurvePoint(
            steps=self.num_timesteps,
            seconds=seconds,
            cpu_seconds=spent,
            raw=scores["raw"].judged(),
        )
        if "averaged" in scores:
            point["averaged"] = scores["averaged"].judged()
        self._progress.curve.append(point)
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
        write_text(self._run / CURVE, json.dumps(self._progress.curve, indent=2) + "\n")
        self._tell(TrainingEvent("validated", self._share, scores, self.num_timesteps))

    def _keep(self, averaged: bool, score: Score) -> None:
        config = self._config
        if averaged:
            with self._average.applied():
                weights = exported(self._network)
        else:
            weights = exported(self._network)
        manifest = ArtifactManifest(
            sha256=digest(weights),
            encoding=ENCODING,
            rows=config.rows,
            mode=str(self._scenario.mode),
            waiting=config.waiting,
            scenario=self._scenario.name,
            scenario_digest=self._scenario.digest,
            seed=config.seed,
            steps=self.num_timesteps,
            averaged=averaged,
            command=self._progress.command,
            commit=self._progress.commit,
            versions=versions(LIBRARIES),
            config=asdict(config),
            curve=tuple(self._progress.curve),
            evaluation={"policy": score.judged(), **self._progress.heuristics},
        )
        save(self._run / BEST, weights, manifest)

    def _checkpoint(self) -> None:
        """Write a new folder, then put it in the last one's place: never half, never none."""
        self._clock()
        folder, part, old = (self._run / name for name in (CHECKPOINT, _PART, REPLACED_CHECKPOINT))
        for rest in (part, old):
            shutil.rmtree(rest, ignore_errors=True)
        part.mkdir(parents=True)
        self.model.save(part / MODEL)
        torch.save(self._average.state(), part / REST)
        self._progress.save(part)
        if folder.is_dir():
            folder.rename(old)
        part.rename(folder)
        # The weights hold what was imitated.
        for rest in (old, self._run / DEMONSTRATIONS):
            shutil.rmtree(rest, ignore_errors=True)
