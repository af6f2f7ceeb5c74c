"""How far a running job is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli.support import text_format

if TYPE_CHECKING:
    from api.schemas import JobOut, RunProgressOut


def brief(run: RunProgressOut) -> str:
    """Return `43 %, 1 min 20 s left, epoch 3/10, batch 12/40`: what matters most comes first."""
    parts = [] if run.fraction is None else [percent(run.fraction)]
    parts.append(f"{text_format.seconds(run.left_s)} left")
    if run.epoch is not None:
        parts.append(f"epoch {run.epoch}/{run.epochs}" if run.epochs else f"epoch {run.epoch}")
    if run.batch is not None and run.batches:
        parts.append(f"batch {run.batch}/{run.batches}")
    return ", ".join(parts)


def sentence(run: RunProgressOut) -> str:
    """Return `brief` with the expected end and the speed; it says so if nothing was reported."""
    text = f"{brief(run)}; ends about {text_format.moment(run.end)}"
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
