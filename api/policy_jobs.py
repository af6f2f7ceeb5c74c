"""Trainings and tunings as jobs of the cluster: command line and HTTP submit the same body."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def policy_job(
    name: str,
    arguments: Sequence[str],
    *,
    data_dir: Path,
    cwd: Path,
    config: str | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """The body of `POST /v1/jobs` for a command of Fulcrum, on `workers` processors.

    `arguments` are the words behind `fulcrum`, as of `TrainingRequest.arguments`. `config` is the
    path of the settings' file (`FULCRUM_CONFIG`). All paths are read on the service's machine.
    """
    program = [sys.executable, "-m", "api.cli.main", "--data", str(data_dir.absolute())]
    env = {} if config is None else {"env": {"FULCRUM_CONFIG": str(Path(config).absolute())}}
    return {
        "kind": "command",
        "name": f"policy-{name}",
        "devices": ["cpu"],
        **({"width": workers} if workers else {}),
        "work": {"argv": [*program, *arguments], "cwd": str(cwd), **env},
    }
