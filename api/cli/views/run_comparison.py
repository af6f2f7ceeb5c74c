"""Trainings side by side, as tables and as curves of one line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from api.cli.support import text_format
from api.cli.support.output import table
from api.cli.views.job_table import state

if TYPE_CHECKING:
    from api.client.runs.comparison import RunComparison, TrainingRun

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
LEVELS = "▁▂▃▄▅▆▇█"
DEFAULT = (("validation_accuracy", "accuracy", "train_accuracy"), ("validation_loss", "loss"))
"""Curves that are shown by default: of each group the first that a run has measured."""
MOST_POINTS = 60
"""Characters of a curve."""


def shown(comparison: RunComparison, wanted: Sequence[str] | None) -> list[str]:
    """Names of the figures whose curves are shown."""
    if wanted:
        return list(wanted)
    known = comparison.figures
    found = (next((name for name in group if name in known), None) for group in DEFAULT)
    return [name for name in found if name is not None]


def settings_table(comparison: RunComparison) -> Table:
    """Return the settings in which the runs differ, a line for each setting."""
    result = table("DIFFERS", *(_label(run) for run in comparison.runs))
    for name in comparison.differences:
        cells = (escape(_value(run.settings.get(name))) for run in comparison.runs)
        result.add_row(f"[dim]{escape(name)}[/]", *cells)
    return result


COLUMNS = (
    *(">JOB", "~NAME", "!STATE", ">BEST EPOCH", ">VAL ACC", ">VAL F1", ">TEST ACC", ">TEST F1"),
    *(">RAN", ">COST", ">ENERGY"),
)
DROP = ("ENERGY", "VAL F1", "TEST F1", "STATE", "COST", "RAN", "BEST EPOCH")
"""What a narrow terminal leaves out, first to last."""


def runs_table(comparison: RunComparison) -> Table:
    """Return a line for each run: how well it did, and what it took; the best one is bold."""
    result = table(*COLUMNS, drop=DROP)
    best = comparison.best
    for run in comparison.runs:
        cells: dict[str, str | Text] = {
            ">JOB": str(run.job),
            "~NAME": Text(run.name or "–"),
            "!STATE": state(run.state),
            ">BEST EPOCH": f"{run.best_epoch or '–'}/{run.epochs}" if run.epochs else "–",
            ">VAL ACC": text_format.share(run.best.get("validation_accuracy")),
            ">VAL F1": text_format.share(run.best.get("validation_f1")),
            ">TEST ACC": text_format.share(run.test.get("accuracy")),
            ">TEST F1": text_format.share(run.test.get("f1")),
            ">RAN": text_format.seconds(run.seconds),
            ">COST": text_format.dollars(run.dollars),
            ">ENERGY": text_format.joules(run.joules),
        }
        result.add_row(*(cells[name] for name in COLUMNS), style="bold" if run is best else "")
    return result


def verdict(comparison: RunComparison) -> str:
    """Return which run is the best, and by what; empty if no run has an accuracy."""
    best = comparison.best
    if best is None:
        return ""
    tested = all("accuracy" in run.test for run in comparison.runs)
    if tested:
        return f"job {best.job} is best: {text_format.share(best.accuracy)} on its test"
    share = text_format.share(best.best_accuracy)
    ended = all(run.state in ENDED for run in comparison.runs)
    so_far = "" if ended else " so far"
    return f"job {best.job} is best{so_far}: {share} after epoch {best.best_epoch}"


def sparklines(
    comparison: RunComparison, wanted: Sequence[str] | None, width: int
) -> Iterator[Table]:
    """Yield a table for each figure: a curve of one line for each run, all on one scale.

    The scale of a loss is logarithmic, as most of its fall is in the first epochs.
    """
    for name in shown(comparison, wanted):
        curves = {run.job: run.curves[name] for run in comparison.runs if name in run.curves}
        values = [value for curve in curves.values() for value in curve.values()]
        low, high = min(values), max(values)
        logarithmic = "loss" in name and low > 0
        last = max(max(curve) for curve in curves.values())
        points = min(MOST_POINTS, last, max(8, width - 45))
        title = f"{name.replace('_', ' ')}: {low:.4g} to {high:.4g}, epochs 1 to {last}"
        title += ", logarithmic" * logarithmic
        result = table(">JOB", "!CURVE", ">BEST", ">LAST", title=title)
        for job, curve in curves.items():
            best = min(curve.values()) if "loss" in name else max(curve.values())
            heights = {
                epoch: _height(value, low, high, logarithmic) for epoch, value in curve.items()
            }
            line = sparkline(heights, last, points)
            result.add_row(str(job), line, f"{best:.4g}", f"{curve[max(curve)]:.4g}")
        yield result


def sparkline(heights: Mapping[int, float], last: int, points: int) -> str:
    """Return a curve (epoch → 0 … 1) as characters; each shows the mean of its epochs.

    `last`: the epoch at the right end; `points`: characters. An epoch without a value is a space.
    """
    columns: list[list[float]] = [[] for _ in range(points)]
    for epoch, height in heights.items():
        columns[min(points - 1, (epoch - 1) * points // last)].append(height)
    return "".join(
        LEVELS[min(len(LEVELS) - 1, int(sum(each) / len(each) * len(LEVELS)))] if each else " "
        for each in columns
    ).rstrip()


def _height(value: float, low: float, high: float, logarithmic: bool) -> float:
    """Where a value stands between the lowest (0) and the highest (1)."""
    if high <= low:
        return 1.0
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _label(run: TrainingRun) -> str:
    return f"{run.job} {run.name}".strip()


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value)) or "–"
    return "–" if value is None else str(value)
