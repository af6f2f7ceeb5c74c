"""`python -m api.preflight`: checks work on policies before it becomes a job.

It reads a question as JSON and writes the answer: `{"answer": …}`, or `{"error": …}` with what the
command would refuse. The service asks it in a process of its own, and so loads no simulator.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.training import workflow
from envs import scenarios
from scheduler import settings
from scheduler.domain.errors import FulcrumError


def training(data_dir: str, request: Mapping[str, Any]) -> None:
    """Raise what a training, or a search for hyper-parameters, would raise before it begins."""
    asked = workflow.TrainingRequest(**{**request, "folder": Path(request["folder"])})
    workflow.check(asked, settings.load(overrides={"data_dir": Path(data_dir)}))


def scenario(name: str) -> None:
    """Raises `MissingError` or `InputError` for a scenario that cannot be loaded or used."""
    scenarios.load(name).check()


def listed() -> list[dict[str, Any]]:
    """The scenarios that come with Fulcrum, by name."""
    return [
        {
            "name": one.name,
            "version": one.version,
            "digest": one.digest,
            "description": one.description,
        }
        for one in map(scenarios.load, scenarios.names())
    ]


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "training": training,
    "scenario": scenario,
    "scenarios": listed,
}


def main() -> None:
    """Answer the question on standard input."""
    asked = json.load(sys.stdin)
    try:
        found = {"answer": QUESTIONS[asked.pop("question")](**asked)}
    except FulcrumError as error:
        told = {"code": error.code, "message": error.message, "fields": error.fields}
        found = {"error": told}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
