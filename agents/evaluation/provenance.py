"""Provenance of a result: versions, code, scenarios, seeds, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from agents.evaluation.compare import Comparison
from agents.evaluation.statistics import CONFIDENCE, RESAMPLES
from envs.scenarios import Scenario

LIBRARIES = ("fulcrum-scheduler", "numpy", "simpy", "matplotlib", "rich")
"""Libraries whose versions are recorded."""
_PACKAGES = (
    "scheduler.domain",
    "scheduler.decisions",
    "scheduler.policies",
    "scheduler.estimates",
    "envs",
    "agents",
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that is needed to reproduce a result."""

    made_at: str
    """ISO 8601, UTC."""
    command: str
    versions: Mapping[str, str]
    """Python and libraries."""
    commit: str
    """Of git, with `+changes` if files differed from it; empty outside of a repository."""
    code: str
    """12 hexadecimal digits of the source that decides, simulates and metrics."""
    machine: str
    scenarios: Mapping[str, Mapping[str, Any]]
    """Name → version, digest, mode, …"""
    policies: Sequence[str]
    baseline: str
    seeds: Sequence[int]
    preferences: Sequence[float | None]
    split: str
    jobs: int | None
    starved_s: float
    clocks: Mapping[str, int]
    """What moved time → number of runs: `compiled` or `simpy`, which give the same results."""
    resamples: int = RESAMPLES
    confidence: float = CONFIDENCE


def provenance_of(comparison: Comparison, command: Sequence[str]) -> Provenance:
    """The provenance of a comparison that `command` (words of the command line) has just made."""
    return Provenance(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=" ".join(command),
        versions={"python": platform.python_version(), **versions(LIBRARIES)},
        commit=commit(),
        code=code(),
        machine=_machine(),
        scenarios={name: _facts(one) for name, one in comparison.scenarios.items()},
        policies=comparison.policies,
        baseline=comparison.baseline,
        seeds=comparison.seeds,
        preferences=comparison.preferences,
        split=str(comparison.conditions.split),
        jobs=comparison.conditions.jobs,
        starved_s=comparison.conditions.starved_s,
        clocks=dict(Counter(run.clock for run in comparison.runs if run.clock)),
    )


@cache
def code() -> str:
    """12 hexadecimal digits of the source that decides, simulates and metrics.

    Results of equal code, scenario, policy and cell are equal. Tables and tuned constants count as
    source; scenarios and networks have digests of their own.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        root = Path(str(resources.files(package)))
        for file in sorted(root.rglob("*")):
            within = file.relative_to(root)
            table = file.suffix in (".json", ".toml") and not {"scenarios", "shipped"} & set(
                within.parts
            )
            if file.suffix == ".py" or table:
                digest.update(within.as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Name → version of those that are installed."""
    found = {}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Of git, with `+changes` if files differ from it; empty outside of a repository."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        # A wheel may be installed inside another repository.
        if git("ls-files", Path(__file__).name) == "":
            return ""
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _machine() -> str:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} processors"


def _facts(scenario: Scenario) -> dict[str, Any]:
    objective = scenario.objective
    return {
        "version": scenario.version,
        "digest": scenario.digest,
        "description": scenario.description,
        "mode": str(scenario.mode),
        "placement": scenario.placement,
        "preference": scenario.preference,
        "jobs": scenario.source.jobs,
        "estimates": scenario.estimates.name,
        "pools": {
            supply.pool.name: {
                "model": supply.pool.model,
                "devices": supply.pool.count,
                "dollars_per_device_hour": supply.pool.dollars_per_device_hour,
            }
            for supply in scenario.supplies
        },
        "reference": (
            None
            if objective is None
            else {
                "latency_s": objective.reference_latency_s,
                "dollars": objective.reference_dollars,
            }
        ),
    }
