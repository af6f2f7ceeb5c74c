"""Where the work of a job names other jobs, whose models it reads.

`models` of an inference holds numbers of jobs beside folders; `weights` of a training may be
`{"job": NUMBER}`. Before a submission is stored, a name may stand in a number's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    work: Mapping[str, Any], numbers: Callable[[int | str], Sequence[int | str]]
) -> Mapping[str, Any]:
    """The work with `numbers(item)` in place of each item of `reference_fields`.

    They are one number, or several where `models` names several jobs at once.
    """
    changed: dict[str, Any] = {}
    if work.get("models"):
        changed["models"] = [one for item in work["models"] for one in numbers(item)]
    if _starts_from_job(work):
        (source,) = numbers(work["weights"]["job"])
        changed["weights"] = {"job": source}
    return {**work, **changed} if changed else work


def _starts_from_job(work: Mapping[str, Any]) -> bool:
    return isinstance(work.get("weights"), Mapping)
