"""Where the settings file and the data folder are; clients ask, so it imports nothing slow."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from scheduler.domain.errors import InputError
from scheduler.files import expanded

FILE_NAME = "fulcrum.toml"


def find_file(path: Path | None = None) -> Path | None:
    """The settings file in force; raises `InputError` if a named one does not exist."""
    named = path or (Path(value) if (value := os.environ.get("FULCRUM_CONFIG")) else None)
    if named is not None:
        if not expanded(named).is_file():
            raise InputError(
                f"there is no settings file {named}", {"config": "an existing TOML file"}
            )
        return expanded(named)
    candidates = [Path(FILE_NAME)]
    with suppress(InputError):  # without a home there is nothing in it
        home = expanded(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
        candidates.append(home / "fulcrum" / FILE_NAME)
    return next((file for file in candidates if file.is_file()), None)


def default_data_dir() -> Path:
    """The data folder if neither the environment nor a settings file names one."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return expanded(Path(base) / "fulcrum").absolute()
