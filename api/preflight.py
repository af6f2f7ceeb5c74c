"""`python -m api.preflight`: checks work on policies before it becomes a job.

It reads a question as JSON and writes `{"answer": …}`, the words of the command that does the work,
or `{"error": …}`, what that command would refuse. The service asks it in another process, so that
it loads no simulator.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import agents.registry.resolve  # noqa: F401 - so that policies are found
from agents.registry.registry import at
from agents.training import workflow
from agents.training.workflow import TrainingRequest
from agents.tuning.search import Search
from agents.tuning.workflow import HeuristicTuning, HyperparameterTuning
from envs import scenarios
from scheduler import settings
from scheduler.domain.errors import FulcrumError

_SETTINGS = ("scenario", "steps", "algo", "seed", "preference")
"""Fields of a request that are settings of a training; its `options` are others."""


def training(data_dir: str, folder: str, asked: Mapping[str, Any]) -> list[str]:
    """The command of a training; raises what it would raise before it begins."""
    request = TrainingRequest(
        Path(folder),
        _settings(asked),
        name=asked["name"],
        from_history=asked["from_history"],
        since=asked.get("since"),
        workloads=asked.get("workloads"),
        every=asked.get("every"),
    )
    with at(Path(data_dir)):
        workflow.check(request, settings.load())
    return request.arguments()


def study(folder: str, asked: Mapping[str, Any]) -> list[str]:
    """The command of a search for hyper-parameters; raises as `training`."""
    request = HyperparameterTuning(Path(folder), _settings(asked), asked["trials"])
    request.check()
    return request.arguments()


def tuning(folder: str, asked: Mapping[str, Any]) -> list[str]:
    """The command of a search for constants of wgc; raises as `training`."""
    search = Search(**{name: asked[name] for name in ("trials", "workloads", "jobs", "seed")})
    if asked["preferences"]:
        search = replace(search, preferences=tuple(asked["preferences"]))
    output = Path(folder) / f"{asked['name']}.toml"
    request = HeuristicTuning(asked["scenario"], search, output)
    request.check()
    return request.arguments()


def promotion(policy: str, asked: Mapping[str, Any]) -> list[str]:
    """The command of a promotion; raises for a scenario that does not exist or cannot be used."""
    if "scenario" in asked:
        scenarios.load(asked["scenario"]).check()
    words = ["policy", "promote", policy]
    for name in ("scenario", "workloads", "jobs", "margin"):
        if name in asked:
            words += [f"--{name}", str(asked[name])]
    return [*words, *(f"--{name}" for name in ("use", "force") if asked[name])]


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


def _settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: asked[name] for name in _SETTINGS if name in asked}
    return own | dict(asked.get("options", {}))


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "training": training,
    "study": study,
    "tuning": tuning,
    "promotion": promotion,
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
