"""The curves of several trainings as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.report.style import figure, look, printed
from api.cli.views.run_comparison import shown

if TYPE_CHECKING:
    from api.client.runs.comparison import RunComparison

SIZE = (6.4, 4.0)
"""Of one curve's field (inches)."""


def draw(comparison: RunComparison, file: Path, wanted: Sequence[str] | None) -> None:
    """Write a field for each figure, one line for each run, into a .png, .svg or .pdf.

    The curve of the training is dashed beside that of the validation. Raises `OSError`.
    """
    names = shown(comparison, wanted)
    with printed():
        made = figure(SIZE[0] * max(1, len(names)), SIZE[1])
        fields = made.subplots(1, max(1, len(names)), squeeze=False)[0]
        for axes, name in zip(fields, names, strict=False):
            beside = name.replace("validation_", "train_")
            for number, run in enumerate(comparison.runs):
                colour = look(number)[0]
                for which, dashes in {beside: "dashed", name: "solid"}.items():
                    curve = run.curves.get(which, {})
                    label = f"{run.job} {run.name}".strip() if which == name else None
                    thin = 1.0 if dashes == "dashed" else 1.8
                    marker = "o" if len(curve) == 1 else None
                    axes.plot(
                        list(curve), list(curve.values()), ls=dashes, lw=thin, c=colour,
                        marker=marker, label=label,
                    )  # fmt: skip
            axes.set_title(name.replace("_", " "))
            dashed = any(beside in run.curves for run in comparison.runs) and beside != name
            axes.set_xlabel("epoch (dashed: training)" if dashed else "epoch")
            axes.legend()
        made.savefig(file, dpi=144)
