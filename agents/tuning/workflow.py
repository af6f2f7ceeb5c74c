"""Tunings from request to result: command line, SDK and HTTP call these functions.

Importing this module loads neither Optuna nor PyTorch nor the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.training import workflow
from agents.training.config import Training
from agents.training.progress import Tell
from agents.tuning.search import Search
from scheduler.domain.errors import InputError
from scheduler.policies.lookup import named

if TYPE_CHECKING:
    from agents.tuning.hyperparameters import Trial
    from agents.tuning.wgc import TunedPoint
    from envs.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class HeuristicTuning:
    """A search for the constants of wgc in a scenario."""

    scenario: str
    """Name or file."""
    search: Search = field(default_factory=Search)
    output: Path | None = None
    """The schedule's file, `.toml`; None: no file."""

    def arguments(self) -> list[str]:
        """The words behind `fulcrum` that make the same request, with an absolute path."""
        search = self.search
        words = ["scenario", "tune", self.scenario]
        for name in ("trials", "workloads", "jobs", "seed"):
            words += [f"--{name}", str(getattr(search, name))]
        words += ["--preferences", ",".join(map(str, search.preferences))]
        words += ["--rivals", ",".join(search.rivals)]
        return [*words, "--output", str(self.output.absolute())] if self.output else words

    def check(self) -> Scenario:
        """The scenario. Raises `InputError`, or `MissingError` if it does not exist."""
        from envs.scenarios import load

        if self.output is not None and self.output.suffix != ".toml":
            raise InputError(
                f"{self.output.name} is not a .toml file, which policies are read from",
                {"output": "FILE.toml"},
            )
        scenario = load(self.scenario)
        scenario.check()
        for rival in self.search.rivals:
            named(rival)
        return scenario


SHORTER = 5
"""A training of a study has so many times fewer decisions than one that stands alone."""


@dataclass(frozen=True, slots=True)
class HyperparameterTuning:
    """A search for hyper-parameters of training."""

    folder: Path
    """Folder of the study."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all trainings, by name of a field of `Training`."""
    trials: int = 20
    """Trainings, earlier ones included."""

    def arguments(self) -> list[str]:
        """The words behind `fulcrum` that make the same request, with an absolute path."""
        words = ["policy", "tune", str(self.folder.absolute()), "--trials", str(self.trials)]
        return words + workflow.options(self.values)

    def check(self) -> Training:
        """The settings; without `steps`, `SHORTER` times fewer than a training has.

        Raises `InputError`, or `MissingError` for an unknown scenario.
        """
        if self.trials < 1:
            raise InputError(f"trials is {self.trials}", {"trials": "≥ 1"})
        config = workflow.checked(self.values)
        return config if "steps" in self.values else replace(config, steps=config.steps // SHORTER)


def tune_heuristic(
    request: HeuristicTuning,
    *,
    command: str = "",
    step: Callable[[], None] = lambda: None,
    workers: int = 1,
) -> tuple[TunedPoint, ...]:
    """Tune wgc; the best constants at each preference, ascending.

    `step` is called after each candidate and each other policy, `request.search.steps` times. The
    file is written after each preference, so that an interrupted search leaves what it found.
    `command` is recorded in the file. Raises what `HeuristicTuning.check` raises, and `OutageError`
    if a worker process dies.
    """
    from agents.tuning import wgc

    scenario, search, output = request.check(), request.search, request.output
    date = datetime.now(UTC).date().isoformat()

    def save(points: tuple[TunedPoint, ...]) -> None:
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(wgc.document(scenario, search, points, command, date))

    return wgc.tune(scenario, search, workers=workers, step=step, found=save)


def tune_hyperparameters(
    request: HyperparameterTuning,
    *,
    command: str = "",
    tell: Tell = lambda _: None,
    done: Callable[[Trial], None] = lambda _: None,
    workers: int = 1,
) -> tuple[Trial, ...]:
    """Run trainings until the study has `request.trials` of them; returns all.

    `tell` receives the progress of each training, `done` each trial that has ended. Raises what
    `HyperparameterTuning.check` raises, `StateError` if the folder's study has other settings or is
    under way, and `OutageError` if a worker process dies.
    """
    from agents.tuning import hyperparameters

    return hyperparameters.search(
        request.folder, request.check(), request.trials, command, tell, done, workers=workers
    )
