"""Work on policies as jobs of the cluster: commands of Fulcrum itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

MODULE = "api.cli.main"
NAME_PREFIX = "policy-"
"""Begins the name of every such job, so that a listing finds them."""


class Task(StrEnum):
    """What such a job does."""

    TRAINING = "training"
    TUNING = "tuning"
    """Of the constants of wgc."""
    STUDY = "study"
    """Of the hyper-parameters of training."""
    PROMOTION = "promotion"


COMMANDS: Mapping[Task, tuple[str, str]] = {
    Task.TRAINING: ("policy", "train"),
    Task.TUNING: ("scenario", "tune"),
    Task.STUDY: ("policy", "tune"),
    Task.PROMOTION: ("policy", "promote"),
}


@dataclass(frozen=True, slots=True)
class PolicyJob:
    """One command about policies, on the data folder of a service."""

    task: Task
    subject: str
    """The command's argument: a folder, a scenario or a policy."""
    options: Sequence[str]

    @classmethod
    def of(cls, argv: Sequence[str]) -> Self | None:
        """What a job's `argv` says; None for any other program."""
        if list(argv[1:4]) != ["-m", MODULE, "--data"] or len(argv) < 8:
            return None
        words = tuple(argv[5:7])
        task = next((task for task, command in COMMANDS.items() if command == words), None)
        return None if task is None else cls(task, argv[7], tuple(argv[8:]))

    @property
    def name(self) -> str:
        """The policy, study or schedule that it makes or tests."""
        match self.task:
            case Task.TRAINING:
                return self.option("--name") or Path(self.subject).name
            case Task.TUNING:
                return Path(self.option("--output") or self.subject).stem
            case Task.STUDY:
                return Path(self.subject).name
            case Task.PROMOTION:
                return self.subject

    @property
    def folder(self) -> str | None:
        """Where a training or a study leaves everything."""
        return self.subject if self.task in (Task.TRAINING, Task.STUDY) else None

    def option(self, name: str) -> str | None:
        """The value of an option, `--name VALUE` or `--name=VALUE`; None if it is not given."""
        for at, word in enumerate(self.options):
            key, equals, value = word.partition("=")
            if key == name:
                return value if equals else "".join(self.options[at + 1 : at + 2])
        return None

    def body(
        self, data_dir: Path, name: str, fields: Mapping[str, Any], cwd: str | None = None
    ) -> dict[str, Any]:
        """The job as POST /v1/jobs takes it.

        `fields` are those of any job. Paths in it are read on the service's machine, relative ones
        from `cwd`.
        """
        data = str(data_dir.absolute())
        command = [sys.executable, "-m", MODULE, "--data", data, *COMMANDS[self.task]]
        config = os.environ.get("FULCRUM_CONFIG")
        env = {"FULCRUM_CONFIG": str(Path(config).absolute())} if config else {}
        return {
            "kind": "command",
            "devices": ["cpu"],
            **fields,
            "name": f"{NAME_PREFIX}{name}",
            "work": {
                "argv": [*command, self.subject, *self.options],
                **({"cwd": cwd} if cwd else {}),
                **({"env": env} if env else {}),
            },
        }
