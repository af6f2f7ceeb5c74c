"""Schedules of wgc, tuned per scenario: files here, named as the scenario, or anywhere."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from scheduler.domain.errors import InvalidError, NotFoundError
from scheduler.policies.constants import Constants, Schedule, constants
from scheduler.policies.wgc import Wgc

SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """Scenarios that a schedule was tuned for."""
    found = (Path(entry.name) for entry in files(__name__).iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == SUFFIX))


def tuned(rest: str) -> Wgc:
    """The policy `wgc:rest`.

    `rest` is a scenario's name, a file that `fulcrum scenario tune` wrote, or constants:
    `congestion=.5,patience=2`. Raises `NotFoundError` or `InvalidError`.
    """
    return Wgc(_constants(rest), f"wgc:{rest}", summary="wgc with other constants")


def read(text: str, where: str) -> Schedule:
    """A schedule from the text of its file.

    Raises `InvalidError` naming `where` and what is wrong.
    """
    try:
        content = tomllib.loads(text)
        points = tuple(_point(entry) for entry in content["at"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError(
            f"{where} is no schedule of wgc: {type(error).__name__} {error}",
            {"policy": "a file that `fulcrum scenario tune` wrote"},
        ) from error
    return Schedule(points)


def _constants(rest: str) -> Constants | Schedule:
    if "=" in rest:
        return constants(dict(_pair(word) for word in rest.split(",")))
    if rest.endswith(SUFFIX):
        try:
            return read(Path(rest).read_text(), rest)
        except (OSError, UnicodeDecodeError) as error:
            raise NotFoundError(f"{rest} cannot be read: {error}", {"policy": "a file"}) from error
    if rest not in names():
        legal = f"one of {', '.join(names())}, a {SUFFIX} file, or constants as congestion=.5"
        raise NotFoundError(f"wgc was not tuned for {rest!r}", {"policy": legal})
    return read((files(__name__) / f"{rest}{SUFFIX}").read_text(), rest)


def _pair(word: str) -> tuple[str, float | str]:
    name, _, text = word.partition("=")
    try:
        return name.strip(), float(text)
    except ValueError:
        return name.strip(), text.strip()


def _point(entry: Mapping[str, Any]) -> tuple[float, Constants]:
    return float(entry["w"]), constants(entry["constants"])
