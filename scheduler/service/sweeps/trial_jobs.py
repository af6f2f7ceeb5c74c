"""The job of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scheduler.domain.jobs import JobSpec
from scheduler.workloads.spec.parameters import filled
from scheduler.workloads.spec.specs import PathLook, Work, check_paths, parse_work, profile


def trial_work(base: JobSpec, parameters: Mapping[str, Any], look: PathLook) -> Work:
    """The work of a trial with these parameters.

    Raises `InputError` if they have no place in it, or make it illegal.
    """
    work = parse_work(base.kind, filled(base.work, parameters))
    check_paths(work, look)
    return work


def trial_job(
    base: JobSpec, parameters: Mapping[str, Any], sweep: int, number: int, look: PathLook
) -> JobSpec:
    """The job of trial `number`; raises `InputError` as `trial_work`."""
    work = trial_work(base, parameters, look)
    return replace(
        base,
        name=f"{base.name or f'sweep-{sweep}'}-{number}",
        work=work.model_dump(mode="json"),
        profile=profile(base.kind, work, look=look),
        sweep=sweep,
        index=number,
    )
