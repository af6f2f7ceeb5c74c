"""A scenario from the service's history: the present cluster with the jobs that it really had."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.scenarios.file import SUFFIX, load
from envs.scenarios.logs import Draw
from envs.scenarios.scenario import Objective, Scenario
from envs.scenarios.supply import Supply
from envs.workloads.base import Workload
from envs.workloads.traces import native
from scheduler.domain.errors import InputError, StateError

FEWEST = 20
"""Jobs below which the splits would be empty."""


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a new scenario."""

    scenario: Scenario
    path: Path
    jobs: Path
    """In the format of `envs.workloads.traces.native`, beside the scenario."""


def write(
    workload: Workload,
    supplies: Sequence[Supply],
    path: Path,
    *,
    preference: float = 0.5,
    draw: Draw = Draw.RESAMPLE,
    overwrite: bool = False,
) -> Written:
    """Write a scenario file and its jobs, and load it: new workloads are drawn from the jobs.

    Its name is the file's, in lower case. Raises `InputError` for too few jobs or a file that
    does not end in `.toml`, `StateError` if a file is there already.
    """
    if path.suffix != SUFFIX:
        raise InputError(f"{path} does not end in {SUFFIX}", {"output": f"NAME{SUFFIX}"})
    if len(workload.jobs) < FEWEST:
        raise InputError(
            f"the history has {len(workload.jobs)} jobs that succeeded, too few for a scenario",
            {"since": f"a time since which at least {FEWEST} jobs succeeded"},
        )
    jobs = path.with_name(f"{path.stem}.jobs.jsonl.gz")
    there = [file for file in (path, jobs) if file.exists()]
    if there and not overwrite:
        raise StateError(f"{there[0]} exists already", {"output": "a new file, or --force"})
    native.write(workload, jobs)
    name = re.sub(r"[^a-z0-9._-]+", "-", path.stem.casefold()).strip("._-")[:60] or "history"
    draft = _text(name, workload, supplies, jobs.name, preference, draw, None)
    _save(path, draft)
    # The objective follows from the jobs; the file fixes it, so that it never changes.
    objective = load(path).objective
    _save(path, _text(name, workload, supplies, jobs.name, preference, draw, objective))
    return Written(load(path), path, jobs)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}", {"output": "a file"}) from None


def _text(
    name: str,
    workload: Workload,
    supplies: Sequence[Supply],
    jobs: str,
    preference: float,
    draw: Draw,
    objective: Objective | None,
) -> str:
    about = f"{len(workload.jobs)} jobs of this cluster: {workload.source}"
    lines = [
        f"name = {_quoted(name)}",
        "version = 1",
        f"description = {_quoted(about)}",
        'reservations = "easy"',
        f"preference = {preference}",
        'estimates = { name = "history" }',
    ]
    for supply in supplies:
        lines += ["", *_pool(supply)]
    if objective is not None:
        lines += [
            "",
            "[objective]",
            f'latency = "{objective.latency}"',
            f"latency_scale = {objective.latency_scale}",
            f"cost_scale_dollars = {objective.cost_scale_dollars}",
            f"missed_deadline = {objective.missed_deadline}",
            f"reference_latency_s = {objective.reference_latency_s}",
            f"reference_dollars = {objective.reference_dollars}",
        ]
    lines += [
        "",
        "[workload]",
        f"jobs = {len(workload.jobs)}",
        "",
        "[workload.trace]",
        f"path = {_quoted(jobs)}",
        'format = "fulcrum"',
        f'draw = "{draw}"',
    ]
    return "\n".join(lines) + "\n"


def _pool(supply: Supply) -> list[str]:
    pool = supply.pool
    origin = supply.origin or "the service's settings"
    return [
        f"[pools.{_quoted(pool.name)}]",
        f"kind = {_quoted(pool.kind.value)}",
        f"model = {_quoted(pool.model)}",
        f"devices = {pool.devices_per_node}",
        f"nodes = {pool.nodes}",
        f"min_nodes = {supply.min_nodes}",
        f"memory = {pool.memory_per_node}",
        f"dollars_per_device_hour = {pool.dollars_per_device_hour}",
        f"watts_per_device = {pool.watts_per_device}",
        f"flops_per_device = {pool.flops_per_device}",
        f"boot_s = {pool.boot_s}",
        f"source = {_quoted(origin)}",
    ]


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
