"""Options of commands that train: settings by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.support.output import err

Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; repeatable."),
]


def training_values(
    own: Mapping[str, Any], file: Path | None, options: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """(values, sources) of settings that a command line gives: its file, then its other options.

    `own`: settings that have an option of their own name. Raises `InputError`.
    """
    from agents.training import config as configs

    found: dict[str, tuple[Any, str]] = {}

    def add(name: str, value: object, source: str) -> None:
        current = configs.RENAMED.get(name, name)
        if current != name:
            err().print(
                f"[yellow]{source} is now called {current};[/] "
                "the next release will not know the old name",
                soft_wrap=True,
            )
        found[current] = value, source

    for name, value in ({} if file is None else configs.read_file(file)).items():
        add(name, value, f"--config: {name}")
    for name, value in own.items():
        parsed = configs.parse_preference(value) if name == "preference" else value
        add(name, parsed, f"--{name}")
    for option in options:
        name, value = configs.parse_option(option)
        add(name, value, f"--set {name}")
    values = {name: value for name, (value, _) in found.items()}
    return values, {name: source for name, (_, source) in found.items()}


def given(ctx: typer.Context, parameter: str) -> bool:
    """Whether the command line has it; else it is a default."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"
