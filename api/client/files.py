"""Job files: YAML (or JSON) with one job, a list of jobs, or `jobs:` with `defaults:`."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

JobInput = dict[str, Any]
"""A job as POST /v1/jobs takes it."""


class FileError(ValueError):
    """A job file cannot be read; `field` names the place."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def read(path: str | Path, sets: Sequence[str] = (), *, base: Path | None = None) -> list[JobInput]:
    """The jobs of a file, in its order, ready to be submitted.

    `sets` are `PATH=VALUE` with a dotted path (`work.epochs=3`, or `jobs.1.work.epochs=3` for
    the second job only); the value is YAML. A job may name another one of the same file in
    `after`, `work.models` and `work.weights` by its `name`. Relative paths in the file are meant
    from `base` (default: the file's folder), those in `sets` from the working directory. Raises
    `FileError`.
    """
    from api.client import jobyaml

    path = Path(path)
    try:
        data = jobyaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FileError(f"{path} is not YAML of a job: {error}") from None
    jobs = jobs_of(data, str(path))
    names = [str(job["name"]) for job in jobs if job.get("name")]
    jobs = [rooted(job, base or path.parent, names) for job in jobs]
    for text in sets:
        _apply(jobs, text, names)
    return jobs


def rooted(job: Mapping[str, Any], base: Path, names: Collection[str] = ()) -> JobInput:
    """The job with the relative paths of its work joined to `base`.

    A model that is one of `names`, those of the jobs submitted together, is no path.
    """
    root = base.absolute()
    if "sweep" in job:
        job = {**job, "sweep": _rooted_sweep(job["sweep"], root)}
    work = job.get("work")
    if not isinstance(work, Mapping):
        return dict(job)
    from scheduler.workloads.spec.specs import absolute

    full = dict(absolute(work, root))
    if "models" in work:
        pairs = zip(_listed(work["models"]), _listed(full["models"]), strict=True)
        full["models"] = [old if old in names else new for old, new in pairs]
    return {**job, "work": full}


def _rooted_sweep(sweep: Any, root: Path) -> Any:
    """The sweep with relative paths among the values of its parameters joined to `root`."""
    from scheduler.workloads.spec.parameters import PREFIX
    from scheduler.workloads.spec.specs import absolute

    parameters = sweep.get("parameters") if isinstance(sweep, Mapping) else None
    if not isinstance(parameters, Mapping):
        return sweep
    full = dict(parameters)
    for name, values in parameters.items():
        field = str(name).removeprefix(PREFIX)
        if isinstance(values, list) and str(name) != field:
            full[name] = [absolute({field: value}, root)[field] for value in values]
    return {**sweep, "parameters": full}


def here() -> Path:
    """The working directory. Raises `FileError` if it has been removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise FileError("the current folder has been removed; go to another one", "cwd") from None


def jobs_of(data: Any, path: str) -> list[JobInput]:
    """The jobs in what a job file holds; `path` names it. Raises `FileError`."""
    defaults: Mapping[str, Any] = {}
    if isinstance(data, Mapping) and "jobs" in data:
        defaults = data.get("defaults") or {}
        if unknown := sorted(set(data) - {"jobs", "defaults"}):
            raise FileError(f"{path}: beside `jobs` only `defaults` may stand", unknown[0])
        data = data["jobs"]
    jobs = data if isinstance(data, list) else [data]
    for place, job in enumerate(jobs):
        if not isinstance(job, Mapping) or not job:
            raise FileError(f"{path}: a job is a table of fields", f"jobs.{place}")
    if not jobs:
        raise FileError(f"{path} holds no job", "jobs")
    return [_merged(defaults, job) for job in jobs]


def _merged(defaults: Mapping[str, Any], job: Mapping[str, Any]) -> JobInput:
    """The job over the defaults, table by table."""
    result = copy.deepcopy(dict(defaults))
    for name, value in job.items():
        below = result.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[name] = _merged(below, value) if both and below is not None else value
    return result


def _apply(jobs: list[JobInput], text: str, names_of_jobs: Collection[str]) -> None:
    """Write one `PATH=VALUE` into the jobs it is meant for."""
    from api.client import jobyaml

    path, equals, value = text.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        raise FileError(f"{text!r} is not PATH=VALUE, such as work.epochs=3", "--set")
    chosen = list(range(len(jobs)))
    if names[0] == "jobs":
        if len(names) < 3 or not names[1].isdecimal() or int(names[1]) >= len(jobs):
            raise FileError(f"{path}: the file has jobs.0 … jobs.{len(jobs) - 1}", "--set")
        chosen, names = [int(names[1])], names[2:]
    try:
        parsed = jobyaml.load(value)
    except ValueError:
        parsed = value
    for index in chosen:
        single: JobInput = {}
        place = single
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = parsed
        jobs[index] = _merged(jobs[index], rooted(single, here(), names_of_jobs))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
