"""How far a running job is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli.support import text_format
from scheduler.domain.units import unknown

if TYPE_CHECKING:
    from api.schemas import JobOut, RunProgressOut


def brief(run: RunProgressOut) -> str:
    """Return `43 %, 1 min 20 s left, epoch 3/10, batch 12/40`: what matters most comes first."""
    parts = [] if run.fraction is None else [percent(run.fraction)]
    # What a program does after its last report nobody knows: it may save files, or end at once.
    finishing = run.fraction is not None and run.fraction >= 1.0
    about = "about " if run.reported_at is None else ""
    left = f"{about}{text_format.seconds(run.left_s)} left"
    parts.append("finishing" if finishing else left)
    if run.epoch is not None:
        parts.append(f"epoch {run.epoch}/{run.epochs}" if run.epochs else f"epoch {run.epoch}")
    if run.batch is not None and run.batches:
        parts.append(f"batch {run.batch}/{run.batches}")
    return ", ".join(parts)


def sentence(run: RunProgressOut, assumed_s: float | None = None) -> str:
    """Return `brief` with the expected end and the speed; it says so if nothing was reported.

    `assumed_s`: the runtime that is assumed, if nothing is known of such work.
    """
    if run.reported_at is None and assumed_s is not None:
        return f"it has reported nothing yet; its runtime is {unknown(assumed_s)}"
    text = brief(run)
    if run.fraction is None or run.fraction < 1.0:
        text += f"; ends about {text_format.moment(run.end)}"
    if run.reported_at is None:
        return f"{text} by the estimate, as it has reported nothing yet"
    return f"{text}; {run.samples_per_s:,.4g} samples/s" if run.samples_per_s else text


def accuracy(job: JobOut) -> str:
    """Return the job's accuracy, and of which epoch it is if that was not yet tested."""
    text = text_format.share(job.accuracy)
    return text if job.best_epoch is None else f"{text}, validated after epoch {job.best_epoch}"


def percent(fraction: float) -> str:
    """Return whole per cents, rounded down: 100 % only when all is done."""
    return f"{int(100 * fraction)} %"
