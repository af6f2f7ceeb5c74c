"""Where the work of a job names other jobs, whose models it reads.

`models` of an inference holds numbers of jobs beside folders; `weights` of a training may be
`{"job": NUMBER}`. Before a submission is stored, a name may stand in a number's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

WEIGHTS = "weights.job"
"""The field of a training that names the job whose model it starts from."""


def reference_fields(work: Mapping[str, Any]) -> Iterator[tuple[str, int | str]]:
    """(field below `work`, what it holds) for every field that names a job or could.

    A text in `models` may be a name or a folder.
    """
    for place, item in enumerate(work.get("models") or ()):
        yield f"models.{place}", item
    if _starts_from_job(work):
        yield WEIGHTS, work["weights"]["job"]


def references(work: Mapping[str, Any]) -> tuple[int, ...]:
    """Numbers of the jobs whose models this work reads, each once."""
    found = (item for _, item in reference_fields(work) if isinstance(item, int))
    return tuple(dict.fromkeys(found))


def renumbered(
    work: Mapping[str, Any], number: Callable[[int | str], int | str]
) -> Mapping[str, Any]:
    """The work with `number(item)` in place of each item of `reference_fields`."""
    changed: dict[str, Any] = {}
    if work.get("models"):
        changed["models"] = [number(item) for item in work["models"]]
    if _starts_from_job(work):
        changed["weights"] = {"job": number(work["weights"]["job"])}
    return {**work, **changed} if changed else work


def _starts_from_job(work: Mapping[str, Any]) -> bool:
    return isinstance(work.get("weights"), Mapping)
