"""A training from request to registered policy: command line, SDK and HTTP call these functions.

Importing this module loads neither PyTorch nor the simulator.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.registry.registry import Entry, Registry
from agents.serving.artifact import BEST
from agents.training import config as configs
from agents.training.config import Training
from agents.training.progress import Tell, TrainingEvent, TrainingProgress
from scheduler.clock import SystemClock
from scheduler.domain.errors import InputError, StateError
from scheduler.domain.units import seconds
from scheduler.files import write_text
from scheduler.settings import Settings

if TYPE_CHECKING:
    from agents.evaluation.promotion import PromotionTest

SINCE = "30d"
SHORTEST_S = 3600.0
"""Seconds, at least, from one training of a series to the next."""
WORKLOADS = 24
"""Workloads of the promotion test after a training on the history."""
_REGISTRATION = "ending.json"
_OPTIONS = ("scenario", "steps", "algo", "seed", "preference")
"""Settings that are options of the command; all others are given as `--set NAME=VALUE`."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a person asks for; None where they said nothing."""

    folder: Path
    """Folder of the run; `best` in it becomes the artifact."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Settings by name of a field of `Training`, also by its old name."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Present name of a setting → how it was given, for messages: `--seed`. Default: the name."""
    name: str | None = None
    """Name to register the policy under."""
    from_history: bool = False
    """Train on the jobs that this cluster has run."""
    since: str | None = None
    """How far back the history goes: `12h`, `30d`; default: `SINCE`."""
    workloads: int | None = None
    """Workloads of the promotion test with `from_history`; default: `WORKLOADS`."""
    resume: bool = False
    every: str | None = None
    """Train again after this time, on what the history is then; as a job."""

    @property
    def registered_name(self) -> str | None:
        """The name that the policy is registered under; None: it is not registered."""
        return self.name or (default_name(self.folder) if self.from_history else None)

    def arguments(self) -> list[str]:
        """The words behind `fulcrum` that make the same request, with absolute paths."""
        words = ["policy", "train", str(self.folder.absolute()), *options(self.values)]
        words += ["--from-history"] if self.from_history else []
        words += ["--since", self.since] if self.since is not None else []
        words += ["--workloads", str(self.workloads)] if self.workloads is not None else []
        words += ["--every", self.every] if self.every is not None else []
        words += ["--resume"] if self.resume else []
        return [*words, "--name", self.name] if self.name is not None else words


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training left."""

    best: Path
    """Folder of the artifact."""
    progress: TrainingProgress
    entry: Entry | None = None
    """The policy in the registry; None: it is not registered."""
    test: PromotionTest | None = None
    """The promotion test, after a training on the history."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What is done with the policy after the training; a resumed training reads it in the run."""

    name: str | None
    """Name to register it under; None: it is not registered."""
    since: str | None
    """How far back the history goes that it trains on; None: it trains on a scenario."""
    workloads: int
    """Workloads of the promotion test."""

    def save(self, run: Path) -> None:
        """Write it into the folder of the run."""
        write_text(run / _REGISTRATION, json.dumps(asdict(self)) + "\n")


def default_name(folder: Path) -> str:
    """A legal name for the registry that resembles the folder's."""
    text = re.sub(r"[^a-z0-9._-]+", "-", folder.absolute().name.casefold())
    return text.strip("._-")[:60] or "own"


def options(values: Mapping[str, Any]) -> list[str]:
    """Settings as options of `fulcrum policy train` and `fulcrum policy tune`."""
    words = []
    for name, value in values.items():
        if name in _OPTIONS:
            words += [f"--{name}", "random" if value is None else _text(value)]
        else:
            words += ["--set", f"{name}={_text(value)}"]
    return words


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ",".join(map(str, value))
    return str(value)


def check(request: TrainingRequest, settings: Settings) -> None:
    """Refuse what would be refused later; leaves neither a folder nor a job behind.

    Raises `InputError` for unknown settings, illegal values, names and durations, and for options
    that contradict each other; `MissingError` for an unknown scenario; `StateError` for the name of
    a shipped policy, for a folder that holds a training, or if a resumed training has other
    settings.
    """
    _prepared(request, settings)


def train_and_register(
    request: TrainingRequest,
    settings: Settings,
    *,
    command: str = "",
    tell: Tell = lambda _: None,
    workers: int = 1,
) -> TrainingResult:
    """Train or resume, register the policy, and test it for promotion if it is from the history.

    `command` is recorded as what was typed. `workers` processes share the work; the result does not
    depend on their number. Raises what `check` raises, `InputError` or `MissingError` for a history
    that is too short or absent, and `OutageError` if a worker process dies.
    """
    from agents.training import from_history, trainer

    config, registration = _prepared(request, settings)
    run = request.folder
    if request.resume:
        registration.save(run)
        progress = trainer.resume(run, command, tell, config.steps, workers=workers)
    else:
        if registration.since is not None:
            begin = SystemClock().now() - _seconds(registration.since)
            written = from_history.scenario(settings, run, begin)
            config = replace(config, scenario=str(written.path))
        registration.save(run)
        progress = trainer.train(config, run, command, tell, workers=workers)
    result = TrainingResult(run / BEST, progress)
    if registration.name is None:
        return result
    return _registered(result, registration, settings, command, tell, workers)


def _prepared(request: TrainingRequest, settings: Settings) -> tuple[Training, Registration]:
    """The settings and the registration of a request that is not refused."""
    for option in ("since", "workloads"):
        given = getattr(request, option) is not None
        if given and not request.from_history and not request.resume:
            raise InputError(f"{option} goes with from_history", {option: "with from_history"})
    if request.every is not None:
        _check_every(request)
    # A file of settings may name the scenario that it was tuned on; the history replaces it.
    from_file = request.sources.get("scenario", "").startswith("--config")
    if request.from_history and "scenario" in request.values and not from_file:
        raise InputError("scenario goes without from_history", {"scenario": "left out"})
    if request.since is not None:
        _seconds(request.since)
    if request.registered_name is not None:
        Registry(settings.data_dir).check(request.registered_name)
    return _resumed(request) if request.resume else _new(request)


def _check_every(request: TrainingRequest) -> None:
    """Raise `InputError` unless the request can be repeated."""
    if not request.from_history:
        raise InputError("every goes with from_history", {"every": "with from_history"})
    assert request.every is not None
    if not SHORTEST_S <= _seconds(request.every) < math.inf:
        raise InputError(f"every is {request.every}", {"every": "1h or more, such as 1d"})


def checked(values: Mapping[str, Any], *, scenario: bool = True) -> Training:
    """The settings from plain values; their policies exist, and with `scenario` their scenario.

    Raises `InputError` or `MissingError`.
    """
    from envs.scenarios import load

    config = configs.of(values)
    config.check_policies()
    if scenario:
        load(config.scenario).check()
    return config


def _new(request: TrainingRequest) -> tuple[Training, Registration]:
    config = checked(request.values, scenario=not request.from_history)
    if (request.folder / configs.FILE).is_file():
        raise StateError(f"{request.folder} holds a training", {"resume": "to go on with it"})
    return config, _registration(request)


def _registration(request: TrainingRequest) -> Registration:
    since = (request.since or SINCE) if request.from_history else None
    return Registration(request.registered_name, since, request.workloads or WORKLOADS)


def _resumed(request: TrainingRequest) -> tuple[Training, Registration]:
    """The saved settings, with more steps if the request has more, and the saved registration.

    Raises `StateError` naming each setting that contradicts the saved one, and if the request
    speaks of another history.
    """
    run = request.folder
    saved, registration = configs.read(run), _saved_registration(request)
    values = configs.current_names(request.values)
    sources = request.sources
    if registration.since is not None and sources.get("scenario", "").startswith("--config"):
        # The history replaced the scenario of the file.
        del values["scenario"]
    wrong = {
        sources.get(name, name): f"{getattr(saved, name)} is saved, {value} given"
        for name, value in values.items()
        if value != getattr(saved, name) and not (name == "steps" and value > saved.steps)
    }
    if wrong:
        raise StateError(
            f"{run} holds a training with other options; only steps may grow: "
            "leave them out, or train in another folder",
            wrong,
        )
    return replace(saved, steps=values.get("steps", saved.steps)), registration


def _saved_registration(request: TrainingRequest) -> Registration:
    """The registration that the training began with, but for a name or test in the request."""
    run = request.folder
    try:
        kept = Registration(**json.loads((run / _REGISTRATION).read_text()))
    except FileNotFoundError:
        # Something else than this workflow began the run.
        return _registration(request)
    asked = request.from_history and kept.since is None
    if asked or (request.since is not None and request.since != kept.since):
        option = "from_history" if asked else "since"
        was = "not on the history" if kept.since is None else f"on the history since {kept.since}"
        raise StateError(
            f"the training in {run} was begun {was}", {option: "as saved, or another folder"}
        )
    name = request.name or kept.name
    return replace(kept, name=name, workloads=request.workloads or kept.workloads)


def _registered(
    result: TrainingResult,
    registration: Registration,
    settings: Settings,
    command: str,
    tell: Tell,
    workers: int,
) -> TrainingResult:
    from agents.evaluation.promotion import promote
    from envs.scenarios import load

    registry = Registry(settings.data_dir)
    entry = registry.import_file(result.best, registration.name, command)
    if registration.since is None or entry.promoted:
        return replace(result, entry=entry)
    config = entry.manifest().config
    found = promote(
        registry,
        entry.reference,
        scenario=load(str(config["scenario"])),
        workloads=registration.workloads,
        jobs=int(config["jobs"]),
        workers=workers,
        command=command,
        progress=lambda done, runs: tell(TrainingEvent("test", done / runs)),
    )
    return replace(result, entry=found.entry, test=found.test)


def _seconds(since: str) -> float:
    try:
        return seconds(since)
    except ValueError as error:
        raise InputError(str(error), {"since": "12h, 30d"}) from None
