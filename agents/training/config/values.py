"""The settings of a training from plain values, from a file and from text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from agents.training.config.training import FILE, Training
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import PREFERENCES

RENAMED: Mapping[str, str] = {
    "reference": "baseline",
    "teacher": "expert",
    "lessons": "demonstrations",
    "corrections": "dagger_steps",
    "correction_rounds": "dagger_rounds",
    "teaching_epochs": "imitation_epochs",
    "teaching_batch": "imitation_batch",
    "teaching_rate": "imitation_rate",
    "contest": "best_expert_per_episode",
    "hesitation": "alternative_label_weight",
}
"""Old name of a setting → its name now."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "cmaes": {
        "steps": 10_000_000,
        "baseline": "wgc:random",
        "hidden": 0,
        "n_eval_episodes": 10,
        "validate_every": 15,
        "validation_workloads": 200,
    },
    "search": {
        "steps": 30_000,
        "baseline": "wgc:random",
        "hidden": 32,
        "validate_every": 1,
        "validation_workloads": 200,
    },
}
"""Algorithm → defaults of its own; all others are those of `Training`."""
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def current_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under the names that the settings have now.

    Raises `InputError` for names that no setting has, or for a setting that is there twice.
    """
    legal = {field.name for field in fields(Training)}
    unknown = sorted(set(content) - legal - set(RENAMED))
    if unknown:
        raise InputError(
            f"unknown: {', '.join(unknown)}", {"config": f"any of {', '.join(sorted(legal))}"}
        )
    for old in RENAMED.keys() & content.keys():
        if RENAMED[old] in content:
            raise InputError(
                f"{old} and {RENAMED[old]} are the same setting", {RENAMED[old]: "one of the names"}
            )
    return {RENAMED.get(name, name): value for name, value in content.items()}


def of(content: Mapping[str, Any]) -> Training:
    """The settings from plain values, also under old names; others have their defaults.

    Raises `InputError`.
    """
    hints = get_type_hints(Training)
    given = current_names(content)
    algo = given.get("algo")
    given = {**DEFAULTS.get(algo if isinstance(algo, str) else "", {}), **given}
    return Training(**{name: _checked(name, hints[name], value) for name, value in given.items()})


def _checked(name: str, hint: Any, value: Any) -> Any:
    """The value if it has the setting's type, a list as a tuple. Raises `InputError`."""
    parts = get_args(hint)
    if NoneType in parts:
        if value is None:
            return None
        (hint,) = set(parts) - {NoneType}
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{name} is {value!r}, not a list", {name: "a list"})
        return tuple(_checked(name, parts[0], each) for each in value)
    kinds = {float: (int, float)}.get(hint, hint if isinstance(hint, type) else str)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        legal = _KINDS.get(hint, "a text")
        raise InputError(f"{name} is {value!r}, not {legal}", {name: legal})
    return value


def read(run: Path) -> Training:
    """The settings of a run.

    Raises `InputError` if the folder has none, or a file that cannot be read.
    """
    try:
        content = json.loads((run / FILE).read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"no readable {FILE} in {run}: {error}", {"resume": "the folder of a training"}
        ) from error
    return of(content)


def read_file(file: Path) -> dict[str, Any]:
    """The values in a JSON file, under the names in the file. Raises `InputError`."""
    try:
        content = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{file}: {error}", {"config": "a JSON file of settings"}) from None
    config = of(content)
    return {name: getattr(config, RENAMED.get(name, name)) for name in content}


def parse_option(text: str) -> tuple[str, Any]:
    """`gamma=0.9` → ("gamma", 0.9), with the type of the field.

    Values are a number, true or false, a list with commas, a word, or none. Raises `InputError`.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text!r} is not NAME=VALUE", {"set": "NAME=VALUE, such as gamma=0.99"})
    (field,) = current_names({name: value})
    if field == "preference" and value != "none":
        return name, parse_preference(value)
    hint = get_type_hints(Training)[field]
    parts = get_args(hint)
    if NoneType in parts:
        if value == "none":
            return name, None
        (hint,) = set(parts) - {NoneType}
    if get_origin(hint) is tuple:
        return name, tuple(_parsed(name, parts[0], word) for word in value.split(",") if word)
    return name, _parsed(name, hint, value)


def parse_preference(text: str) -> float | None:
    """`balanced` → 0.5, `0.7` → 0.7, `random` → None. Raises `InputError`."""
    if text == "random":
        return None
    try:
        return PREFERENCES[text] if text in PREFERENCES else float(text)
    except ValueError:
        words = ", ".join(("random", *PREFERENCES))
        raise InputError(
            f"{text!r} is not a preference", {"preference": f"{words}, or a number from 0 to 1"}
        ) from None


def _parsed(name: str, hint: Any, text: str) -> Any:
    if hint not in _KINDS:
        return text
    try:
        return {"true": True, "false": False}[text] if hint is bool else hint(text)
    except (KeyError, ValueError):
        raise InputError(f"{name} is {text!r}, not {_KINDS[hint]}", {name: _KINDS[hint]}) from None
