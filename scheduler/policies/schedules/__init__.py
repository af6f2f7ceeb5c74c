"""Schedules of wgc, tuned per scenario: the files here, each named as its scenario."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from scheduler.domain.errors import InputError, MissingError
from scheduler.policies.constants import Constants, Schedule, constants
from scheduler.policies.wgc import Wgc

SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """Scenarios that have a tuned schedule."""
    found = (Path(entry.name) for entry in files(__name__).iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == SUFFIX))


def tuned(rest: str) -> Wgc:
    """The policy `wgc:rest`.

    `rest` is a scenario's name, constants, as `congestion=.5,patience=2`, or a scenario's name and
    constants that replace its own. Raises `MissingError` or `InputError`.
    """
    return made(_constants(rest), rest)


def anywhere(rest: str) -> Wgc:
    """As `tuned`; `rest` may also be a file that `fulcrum scenario tune` wrote.

    For programs that run as the user. The service opens no path that a request names.
    """
    if not rest.endswith(SUFFIX):
        return tuned(rest)
    try:
        text = Path(rest).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(f"{rest} cannot be read: {error}", {"policy": "a file"}) from error
    return made(read(text, rest), rest)


def read(text: str, where: str) -> Schedule:
    """A schedule from the text of its file.

    Raises `InputError` naming `where` and what is wrong.
    """
    try:
        content = tomllib.loads(text)
        points = tuple(_point(entry) for entry in content["at"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{where} is not a schedule of wgc: {type(error).__name__} {error}",
            {"policy": "a file that `fulcrum scenario tune` wrote"},
        ) from error
    return Schedule(points)


def made(constants: Constants | Schedule, rest: str) -> Wgc:
    """The policy `wgc:rest`."""
    return Wgc(constants, f"wgc:{rest}", summary="wgc with other constants")


def _constants(rest: str) -> Constants | Schedule:
    scenario, *words = rest.split(",")
    if "=" in scenario:
        return constants(dict(map(_pair, (scenario, *words))))
    if scenario not in names():
        legal = ", ".join([*names(), "or constants as congestion=.5"])
        raise MissingError(f"wgc was not tuned for {scenario!r}", {"policy": legal})
    schedule = read((files(__name__) / f"{scenario}{SUFFIX}").read_text(), scenario)
    own = dict(map(_pair, words))
    return Schedule(tuple((w, constants({**asdict(one), **own})) for w, one in schedule.points))


def _pair(word: str) -> tuple[str, float | str]:
    name, _, text = word.partition("=")
    try:
        return name.strip(), float(text)
    except ValueError:
        return name.strip(), text.strip()


def _point(entry: Mapping[str, Any]) -> tuple[float, Constants]:
    return float(entry["w"]), constants(entry["constants"])
