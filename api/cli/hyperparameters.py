"""A training's configuration from the words of a command."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import typer

if TYPE_CHECKING:
    from agents.config import Training

_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def training_of(
    scenario: str,
    steps: int,
    seed: int,
    preference: str,
    options: list[str],
    algo: Literal["ppo", "ars"] = "ppo",
) -> Training:
    """A configuration from the words of a command. Raises `InvalidError`, `BadParameter`."""
    from agents.config import Training

    base = Training(
        scenario=scenario, steps=steps, algo=algo, seed=seed, preference=_dial(preference)
    )
    return _with(base, options)


def from_file(
    ctx: typer.Context,
    file: Path,
    scenario: str | None,
    steps: int,
    seed: int,
    preference: str,
    options: list[str],
    algo: Literal["ppo", "ars"],
) -> Training:
    """What a file says, but for what the command says. Raises `InvalidError`, `BadParameter`."""
    import json
    from dataclasses import replace

    from agents.config import of

    try:
        base = of(json.loads(file.read_text()))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--config") from None
    given: dict[str, Any] = {} if scenario is None else {"scenario": scenario}
    said = {"steps": steps, "seed": seed, "preference": _dial(preference), "algo": algo}
    for name, value in said.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = value
    return _with(replace(base, **given), options)


def _with(base: Training, options: list[str]) -> Training:
    from agents.config import of

    values = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE", param_hint="--set")
        values[name] = _value(name, text)
    return of({**{each.name: getattr(base, each.name) for each in fields(base)}, **values})


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
    from agents.config import Training

    # Of a name that there is not `of` tells the legal ones.
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
    if text == "random":
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither random nor 0 … 1", param_hint=option
        ) from None
