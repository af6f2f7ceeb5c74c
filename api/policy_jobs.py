"""Work on policies as jobs of the cluster: command line and HTTP submit the same body."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from scheduler.domain.units import seconds

MODULE = "fulcrum"
NAME_PREFIX = "policy-"
"""Begins the name of every such job, so that a listing finds them."""


class Task(StrEnum):
    """What such a job does."""

    TRAINING = "training"
    STUDY = "study"
    """A search for hyper-parameters of training."""
    TUNING = "tuning"
    """A search for constants of wgc."""
    PROMOTION = "promotion"


COMMANDS: Mapping[tuple[str, str], Task] = {
    ("policy", "train"): Task.TRAINING,
    ("policy", "tune"): Task.STUDY,
    ("scenario", "tune"): Task.TUNING,
    ("policy", "promote"): Task.PROMOTION,
}


@dataclass(frozen=True, slots=True)
class PolicyJob:
    """A job that works on policies, as its command tells."""

    task: Task
    subject: str
    """The command's argument: a folder, a scenario or a policy."""
    options: Sequence[str]

    @classmethod
    def of(cls, argv: Sequence[str]) -> Self | None:
        """The job with this `argv`; None for any other program."""
        if list(argv[1:4]) != ["-m", MODULE, "--data"] or len(argv) < 8:
            return None
        task = COMMANDS.get((argv[5], argv[6]))
        return None if task is None else cls(task, argv[7], tuple(argv[8:]))

    @property
    def name(self) -> str:
        """The policy, study or schedule that it makes or tests."""
        match self.task:
            case Task.TRAINING:
                return self.option("--name") or Path(self.subject).name
            case Task.STUDY:
                return Path(self.subject).name
            case Task.TUNING:
                return Path(self.option("--output") or self.subject).stem
            case Task.PROMOTION:
                return self.subject

    @property
    def folder(self) -> str | None:
        """Where a training or a study leaves everything."""
        return self.subject if self.task in (Task.TRAINING, Task.STUDY) else None

    @property
    def every_s(self) -> float | None:
        """Seconds from one run of its series to the next; None: it runs once."""
        try:
            every = seconds(self.option("--every") or "")
        except ValueError:
            return None
        return every if self.task is Task.TRAINING and every > 0 else None

    def option(self, name: str) -> str | None:
        """The value of an option; None if it is not given."""
        pairs = zip(self.options, self.options[1:], strict=False)
        return next((value for word, value in pairs if word == name), None)


def policy_job(
    name: str,
    arguments: Sequence[str],
    *,
    data_dir: Path,
    cwd: Path,
    config: str | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """The body of `POST /v1/jobs` for a command of Fulcrum, on `workers` processors.

    `arguments` are the words behind `fulcrum`, as of `TrainingRequest.arguments`. `config` is the
    path of the settings' file (`FULCRUM_CONFIG`). All paths are read on the service's machine.
    """
    program = [sys.executable, "-m", MODULE, "--data", str(data_dir.absolute())]
    env = {} if config is None else {"env": {"FULCRUM_CONFIG": str(Path(config).absolute())}}
    return {
        "kind": "command",
        "name": f"{NAME_PREFIX}{name}",
        "devices": ["cpu"],
        **({"width": workers} if workers else {}),
        "work": {"argv": [*program, *arguments], "cwd": str(cwd), **env},
    }
