"""A service's job history as a scenario to learn in."""

from __future__ import annotations

from pathlib import Path

from envs.scenarios.file import detected
from envs.scenarios.logs import Draw
from envs.scenarios.recorded import Written, write
from envs.scenarios.splits import SHARES
from envs.workloads.traces import history
from scheduler import bootstrap
from scheduler.domain.errors import InputError
from scheduler.settings import Settings

FILE = "history.toml"
"""The scenario's file in the folder of the training."""
FEWEST = 100
"""Fewest jobs of a history that is long enough: its smallest part has a tenth of them."""


def scenario(settings: Settings, run: Path, since: float | None = None) -> Written:
    """Jobs submitted since then (Unix seconds; None: all), as a scenario in the folder `run`.

    The jobs are split by time, the shares as in `envs.scenarios.splits`: policies learn on the
    first part, weights are chosen on the second, heuristics tuned on the third, and all are tested
    on the last. Within a part, workloads are drawn in blocks of neighbours.

    Raises `MissingError` without a history, `InputError` for one with fewer than `FEWEST` jobs
    that succeeded.
    """
    supplies = detected(settings)
    store = bootstrap.history(settings)
    try:
        workload = history.read(store, [supply.pool for supply in supplies], since=since)
        found = len(workload.jobs)
    except InputError:
        found = 0
    finally:
        store.close()
    if found < FEWEST:
        parts = ", ".join(f"{share:.0%} {part}" for part, share in SHARES.items())
        raise InputError(
            f"the history has {found} jobs that succeeded in this time; learning needs {FEWEST}, "
            f"as they are split by time ({parts}); {FEWEST - found} more are missing",
            {"since": f"a longer time, with at least {FEWEST} jobs that succeeded"},
        )
    run.mkdir(parents=True, exist_ok=True)
    return write(
        workload,
        supplies,
        run.absolute() / FILE,
        preference=settings.preference,
        draw=Draw.BLOCKS,
        overwrite=True,
    )
