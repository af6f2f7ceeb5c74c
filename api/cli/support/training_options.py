"""A training's configuration from the words of a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import typer

if TYPE_CHECKING:
    from agents.training.config import Training

_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Said:
    """A value that a command line gives a field."""

    option: str
    """By which option: `--seed`, `--set gamma`, `--config: gamma`."""
    value: Any


def training_of(
    scenario: str,
    steps: int,
    seed: int,
    preference: str,
    options: list[str],
    algo: Literal["ppo", "ars"] = "ppo",
) -> Training:
    """A configuration from the words of a command. Raises `InvalidError`, `BadParameter`."""
    from agents.training.config import of

    words = {
        "scenario": scenario,
        "steps": steps,
        "algo": algo,
        "seed": seed,
        "preference": _dial(preference),
    }
    return of(words | {name: each.value for name, each in _set(options).items()})


def said(
    ctx: typer.Context, own: Mapping[str, Any], file: Path | None, options: list[str]
) -> dict[str, Said]:
    """What a command line says of a training, by field: its file, then its other options.

    `own`: of fields that have an option of their own; defaults are left out. Raises `InvalidError`
    for unknown fields, `BadParameter`.
    """
    found = {} if file is None else _read(file)
    for name, value in own.items():
        if given(ctx, name):
            found[name] = Said(f"--{name}", _dial(value) if name == "preference" else value)
    return found | _set(options)


def given(ctx: typer.Context, parameter: str) -> bool:
    """Whether the command line has it; else it is a default."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _read(file: Path) -> dict[str, Said]:
    from agents.training.config import of

    try:
        content = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--config") from None
    config = of(content)
    return {name: Said(f"--config: {name}", getattr(config, name)) for name in content}


def _set(options: list[str]) -> dict[str, Said]:
    from agents.training.config import known

    found = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE", param_hint="--set")
        found[name] = Said(f"--set {name}", _value(name, text))
    known(found)
    return found


def _value(name: str, text: str) -> Any:
    """As the field's type is: a number, true or false, a list with commas, a word, or none."""
    if name == "preference" and text != "none":
        return _dial(text, "--set")
    hint = _type(name)
    parts = get_args(hint)
    if NoneType in parts:
        if text == "none":
            return None
        (hint,) = set(parts) - {NoneType}
    if get_origin(hint) is tuple:
        return tuple(_one(name, parts[0], word) for word in text.split(",") if word)
    return _one(name, hint, text)


def _type(name: str) -> Any:
    from agents.training.config import Training

    # Of a name that there is not `known` tells the legal ones.
    return get_type_hints(Training).get(name, str)


def _one(name: str, hint: Any, text: str) -> Any:
    if hint not in _KINDS:
        return text
    try:
        return {"true": True, "false": False}[text] if hint is bool else hint(text)
    except (KeyError, ValueError):
        raise typer.BadParameter(
            f"{name} is {text!r}, not {_KINDS[hint]}", param_hint="--set"
        ) from None


def _dial(text: str, option: str = "--preference") -> float | None:
    from scheduler.domain.jobs import PREFERENCES

    if text == "random":
        return None
    try:
        return PREFERENCES[text] if text in PREFERENCES else float(text)
    except ValueError:
        words = ", ".join(("random", *PREFERENCES))
        raise typer.BadParameter(
            f"{text!r} is none of {words} and no number from 0 to 1", param_hint=option
        ) from None
