"""What happens between rollouts, whatever the algorithm: the course of a training."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.evaluation.provenance import versions
from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST, ArtifactManifest, CurvePoint, Judged, digest, save
from agents.training.config import Training
from agents.training.model.ema import Average
from agents.training.model.network import PolicyNetwork, RowPolicy
from agents.training.model.onnx_export import exported
from agents.training.random_search import SearchPolicy
from agents.training.validation import Score, Validation
from agents.training.worker import TrainingContext
from scheduler.decisions.features.digest import digest as encoding_digest
from scheduler.domain.errors import InputError
from scheduler.files import write_text

CHECKPOINT, CURVE = "checkpoint", "curve.json"
LESSONS = "lessons"
"""Before the first checkpoint: the finished parts of the lessons, and `TrainingProgress`."""
MODEL, REST, PROGRESS = "model.zip", "rest.pt", "progress.json"
"""In a checkpoint: the algorithm's own, the averaged weights, and `TrainingProgress`."""
_PART, _OLD = f"{CHECKPOINT}.part", f"{CHECKPOINT}.old"
LIBRARIES = ("fulcrum-scheduler", "numpy", "torch", "stable-baselines3", "sb3-contrib", "onnx")


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """How far a training is."""

    stage: str
    """`lessons`, `teaching` (what they teach is learnt), `heuristics` (they play the validation
    workloads), `learning` or `validated`."""
    done: float
    """Share of the stage, from where it begins; of `validated`: of `learning`."""
    scores: dict[str, Score] = field(default_factory=dict)
    """Of `validated`: `raw` and `averaged`."""
    steps: int = 0


Tell = Callable[[TrainingEvent], None]


@dataclass(slots=True)
class TrainingProgress:
    """What a resumed training must know beside the weights."""

    rollouts: int = 0
    best: float = float("inf")
    """Least mean ratio to the reference of any validation."""
    stale: int = 0
    """Validations since the best."""
    seconds: float = 0.0
    """Of all that was done so far, lessons and validations included."""
    curve: list[CurvePoint] = field(default_factory=list)
    heuristics: dict[str, Judged] = field(default_factory=dict)
    command: str = ""
    """All command lines that had a part in it, in order."""
    commit: str = ""
    """Of the code that each of them ran, in order: files may change while it runs."""

    def over(self, config: Training) -> bool:
        """Whether patience is at its end, and with it the training."""
        return self.stale >= config.patience

    def save(self, folder: Path) -> None:
        """Write it into a folder: all of it, or nothing."""
        write_text(folder / PROGRESS, json.dumps(asdict(self)))


def progress_in(run: Path) -> TrainingProgress:
    """How far a run has got: of its checkpoint, or of its lessons if it has none yet.

    A checkpoint that was just being replaced by the next is put back. Raises `InputError` if
    there is nothing.
    """
    checkpoint, old = run / CHECKPOINT, run / _OLD
    if old.is_dir() and not checkpoint.is_dir():
        old.rename(checkpoint)
    for folder in (checkpoint, run / LESSONS):
        if (folder / PROGRESS).is_file():
            return TrainingProgress(**json.loads((folder / PROGRESS).read_text()))
    raise InputError(
        f"{run} has neither a checkpoint nor lessons",
        {"resume": "the folder of a training that got that far"},
    )


class TrainingCallback(BaseCallback):
    """Between rollouts: averages, validates, keeps the best, writes checkpoints."""

    def __init__(
        self,
        crew: ProcessPool[TrainingContext],
        run: Path,
        tell: Tell,
        progress: TrainingProgress,
        rest: dict[str, object] | None,
    ) -> None:
        super().__init__()
        self._crew = crew
        self._scenario, self._config = crew.bench.scenario, crew.bench.config
        self._run = run
        self._tell = tell
        self._progress = progress
        self._rest = rest
        self._fresh = True
        self._since = time.monotonic()

    @property
    def _scorer(self) -> PolicyNetwork:
        policy = self.model.policy
        assert isinstance(policy, RowPolicy | SearchPolicy)
        return policy.scorer

    @property
    def _share(self) -> float:
        """Of the whole training."""
        return min(1.0, self.num_timesteps / self._config.goal)

    def _on_training_start(self) -> None:
        self._tell(TrainingEvent("heuristics", 0.0))
        self._average = Average(self._scorer, self._config.averaging)
        self._validation = Validation(self._crew)
        if self._rest is None:
            self._first()
        else:
            self._average.restore(self._rest)
        self._tell(TrainingEvent("heuristics", 1.0))
        self._tell(TrainingEvent("learning", self._share, steps=self.num_timesteps))

    def _first(self) -> None:
        """What the teacher left is the first that counts."""
        table = self._validation.table(
            tell=lambda done: self._tell(TrainingEvent("heuristics", done))
        )
        self._progress.heuristics = {name: _judged(score) for name, score in table.items()}
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
        # What was kept and what is known of it belong together: a training that goes on from
        # before a validation would take the next one's weights for better than those it kept.
        if validated or progress.rollouts % config.checkpoint_every == 0:
            self._checkpoint()
        self._tell(TrainingEvent("learning", self._share, steps=self.num_timesteps))

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
        point = CurvePoint(
            steps=self.num_timesteps, seconds=self._clock(), raw=_judged(scores["raw"])
        )
        if "averaged" in scores:
            point["averaged"] = _judged(scores["averaged"])
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
                weights = exported(self._scorer)
        else:
            weights = exported(self._scorer)
        manifest = ArtifactManifest(
            sha256=digest(weights),
            encoding=encoding_digest(),
            rows=config.rows,
            mode=str(self._scenario.mode),
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
            evaluation={"policy": _judged(score), **self._progress.heuristics},
        )
        save(self._run / BEST, weights, manifest)

    def _checkpoint(self) -> None:
        """All of it in a folder of its own, then in place of the last: never half, never none."""
        self._clock()
        folder, part, old = (self._run / name for name in (CHECKPOINT, _PART, _OLD))
        for rest in (part, old):
            shutil.rmtree(rest, ignore_errors=True)
        part.mkdir(parents=True)
        self.model.save(part / MODEL)
        torch.save(self._average.state(), part / REST)
        self._progress.save(part)
        if folder.is_dir():
            folder.rename(old)
        part.rename(folder)
        # What they taught is in the weights.
        for rest in (old, self._run / LESSONS):
            shutil.rmtree(rest, ignore_errors=True)


def _judged(score: Score) -> Judged:
    return Judged(mean=score.mean, at={str(w): mean for w, mean in score.at.items()})
