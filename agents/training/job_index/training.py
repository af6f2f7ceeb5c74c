"""A training of an index: generations or rounds, validations between them, the best is kept.

A run is a folder: `config.json`, `start/`, the artifact that learning starts from, `index.json` to
resume from, `labels/` of a search, `curve.json`, and `best/`, the artifact. The last is the start
until weights are better on the validation workloads, so it is never worse there. Equal settings
give equal weights, with any number of processes, and also after an interruption.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agents.cpu_time import cpu_seconds
from agents.process_pool import ProcessPool
from agents.serving import artifact
from agents.serving.artifact import BEST, CurvePoint, Judged
from agents.training.config import Algorithm, Training
from agents.training.job_index.distillation import Distillation
from agents.training.job_index.evolution import Evolution
from agents.training.job_index.export import TrainedOn, export
from agents.training.job_index.run_state import START, IndexRun
from agents.training.job_index.task import IndexTask, starting
from agents.training.job_index.validation import IndexValidation
from agents.training.progress import CURVE, Tell, TrainingEvent, TrainingProgress
from agents.training.scores import Score
from scheduler.arrays import Floats
from scheduler.files import write_text
from scheduler.policies.learned_index import LearnedIndex


class Learner(Protocol):
    """A way to learn an index."""

    def __init__(self, pool: ProcessPool[IndexTask], run: IndexRun) -> None:
        """Go on where the run is."""

    def improve(self) -> tuple[Floats, int]:
        """One generation or round: (weights, decisions)."""


LEARNERS: Mapping[Algorithm, type[Learner]] = {"cmaes": Evolution, "search": Distillation}


def begin(config: Training, on: TrainedOn, run: Path, progress: TrainingProgress) -> None:
    """Leave the first state of a training in the folder of the run.

    Raises `InputError` or `MissingError` for a base that cannot be corrected.
    """
    state = IndexRun(run, progress)
    state.clear()
    export(run / START, starting(config), config, on, progress)
    state.save()
    config.save(run)


def start_in(run: Path) -> LearnedIndex:
    """What the training in the folder started from, also if policies have changed since then."""
    return replace(artifact.load(run / START).index("learned"), mode=None)


def learn(
    pool: ProcessPool[IndexTask], run: IndexRun, on: TrainedOn, tell: Tell = lambda _: None
) -> TrainingProgress:
    """Go on until all decisions are taken, or until patience has run out."""
    config, progress = pool.context.config, run.progress
    if progress.curve and (run.steps >= config.goal or progress.over(config)):
        return progress
    return _IndexTraining(pool, run, on, tell).learn()


class _IndexTraining:
    """The loop."""

    def __init__(
        self, pool: ProcessPool[IndexTask], run: IndexRun, on: TrainedOn, tell: Tell
    ) -> None:
        self._task, self._config = pool.context, pool.context.config
        self._run, self._progress, self._on, self._tell = run, run.progress, on, tell
        self._since, self._spent = time.monotonic(), cpu_seconds()
        tell(TrainingEvent("heuristics", 0.0))
        self._validation = IndexValidation(
            pool, lambda done: tell(TrainingEvent("heuristics", done))
        )
        self._learner = LEARNERS[self._config.algo](pool, run)

    def learn(self) -> TrainingProgress:
        run, progress, config = self._run, self._progress, self._config
        if not progress.curve:
            self._judge(None, self._validation.start())
            run.save()
        self._told()
        while run.steps < config.goal and not progress.over(config):
            weights, decisions = self._learner.improve()
            run.weights = weights.tolist()
            run.steps += decisions
            progress.rollouts += 1
            if run.steps >= config.goal or progress.rollouts % config.validate_every == 0:
                self._judge(weights, self._validation.score(weights))
            # Only now: what is kept and the state belong together.
            self._clock()
            run.save()
            self._told()
        return progress

    def _judge(self, weights: Floats | None, score: Score) -> None:
        """Note a validation, and keep the weights if they are the best, or as `keep` says."""
        progress, judged = self._progress, score.judged()
        seconds, spent = self._clock()
        point = CurvePoint(steps=self._run.steps, seconds=seconds, cpu_seconds=spent, raw=judged)
        progress.curve.append(point)
        progress.stale += 1
        better = score.mean < progress.best
        if better:
            progress.best, progress.stale = score.mean, 0
        if weights is None:
            progress.heuristics = {self._config.corrected: judged}
        start = progress.curve[0]["raw"]
        if better or (self._config.keep == "last" and judged["mean"] < start["mean"]):
            self._keep(weights, judged)
        elif self._config.keep == "last" or progress.best >= start["mean"]:
            self._keep(None, start)
        write_text(self._run.folder / CURVE, json.dumps(progress.curve, indent=2) + "\n")
        self._tell(TrainingEvent("validated", self._share, {"raw": score}, self._run.steps))

    def _keep(self, weights: Floats | None, judged: Judged) -> None:
        baseline = self._config.baseline
        alone = {str(w): 1.0 for w in self._config.validated_preferences}
        others = {baseline: Judged(mean=1.0, at=alone), **self._progress.heuristics}
        export(
            self._run.folder / BEST,
            self._task.policy(weights),
            self._config,
            self._on,
            self._progress,
            steps=0 if weights is None else self._run.steps,
            evaluation={"policy": judged, **others},
        )

    @property
    def _share(self) -> float:
        return min(1.0, self._run.steps / self._config.goal)

    def _told(self) -> None:
        self._tell(TrainingEvent("learning", self._share, steps=self._run.steps))

    def _clock(self) -> tuple[float, float]:
        """Seconds and processor seconds of the whole training, earlier parts included."""
        now, spent = time.monotonic(), cpu_seconds()
        self._progress.seconds += now - self._since
        self._progress.cpu_seconds += spent - self._spent
        self._since, self._spent = now, spent
        return round(self._progress.seconds, 1), round(self._progress.cpu_seconds, 1)
