"""The objective on validation workloads against processor time, for each way of learning.

The curves are those that trainings have recorded in their artifacts: nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.serving.artifact import ArtifactManifest, load
from benchmarks.policy import plots
from benchmarks.policy.artifacts import RIVAL
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section, Table
from scheduler.domain.errors import FulcrumError

WAY = {"search": "search and distillation"}
"""Algorithm → its name, where that is another one."""


def measure(how: Measuring) -> Found:
    """The curve of every artifact of the benchmark, and of the trainings that `--runs` names."""
    missing: list[str] = []
    curves = []
    folders = [
        *(one.folder for one in how.find(*how.learned, RIVAL, seeds=0).trained),
        *sorted(how.folder.glob("*-*")),
        *(path.parent for run in how.trainings for path in sorted(run.rglob("policy.onnx"))),
    ]
    for folder in dict.fromkeys(folders):
        try:
            manifest = load(folder).manifest
        except FulcrumError as error:
            missing.append(f"{folder.name}: {error.message}")
            continue
        points = list(_points(manifest))
        if points:
            curves.append(
                {
                    "name": folder.parent.name if folder.name == "best" else folder.name,
                    "way": way(manifest),
                    "scenario": manifest.scenario,
                    "baseline": manifest.baseline,
                    "processor": all("cpu_seconds" in each for each in manifest.curve),
                    "points": points,
                }
            )
    return {"curves": curves, "missing": missing}


def way(manifest: ArtifactManifest) -> str:
    """How the policy was learned."""
    algo = str(manifest.config.get("algo", "ppo"))
    return WAY.get(algo, algo)


def _points(manifest: ArtifactManifest) -> Iterator[tuple[float, float]]:
    """(seconds, least mean objective ÷ the baseline's until then), where seconds are known."""
    least = float("inf")
    for each in manifest.curve:
        seconds = each.get("cpu_seconds", each.get("seconds"))
        judged = (each["raw"], each.get("averaged", each["raw"]))
        least = min(least, *(one["mean"] for one in judged))
        if seconds is not None:
            yield float(seconds), least


def report(found: Found, folder: Path) -> Section:
    """One row and one line of the plot for each training."""
    curves: list[dict[str, Any]] = found["curves"]
    rows = []
    for each in curves:
        best = min(value for _, value in each["points"])
        at = next(seconds for seconds, value in each["points"] if value == best)
        first = next((seconds for seconds, value in each["points"] if value < 1.0), None)
        rows.append(
            [
                each["name"],
                each["way"],
                each["scenario"],
                each["baseline"],
                f"{each['points'][0][1]:.3f}",
                f"{best:.3f}",
                _minutes(first),
                _minutes(at) + ("" if each["processor"] else " (real time)"),
            ]
        )
    columns = ["training", "way", "scenario", "baseline", ">first", ">best"]
    columns += [">below the baseline after", ">best after"]
    section = Section(
        "Objective against time of training",
        "Objective on validation workloads ÷ that of the baseline on the same ones, as each "
        "training recorded it; below 1 the baseline is beaten. Minutes are processor time of all "
        "processes; old trainings recorded real time only. Scenarios and baselines differ, so only "
        "lines that share both can be compared with each other.",
        [Table("Trainings", columns, rows)],
    )
    if not curves:
        return section
    shown = "Best objective on validation ÷ the baseline's, by minutes of training"
    lines = [
        (
            f"{each['name']} ({each['way']})",
            [(seconds / 60, value) for seconds, value in each["points"]],
        )
        for each in curves
    ]
    plots.write(lambda: plots.learning(lines), folder / "curves.svg", shown)
    return replace(section, plots=(("curves.svg", shown),))


def _minutes(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:.1f} min"


PART = ReportPart("curves", measure, report)
