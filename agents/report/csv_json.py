"""A comparison for programs: one CSV row per run, or one JSON document with everything."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.evaluation.by_class import JOBS, JobClass
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import METRICS
from agents.evaluation.provenance import Provenance
from agents.evaluation.statistics import Difference
from agents.evaluation.summary import Area, ComparisonSummary, SummaryLine
from scheduler.domain.errors import InputError


def as_csv(comparison: Comparison) -> str:
    """One row per run: its run, its metrics (empty: does not apply), its error."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["scenario", "policy", "preference", "seed", *METRICS, "error"])
    for run in comparison.runs:
        key = run.key
        figures = [run.metrics.get(name, math.nan) for name in METRICS]
        writer.writerow(
            [
                key.scenario,
                key.policy,
                "" if key.preference is None else repr(key.preference),
                key.seed,
                *("" if math.isnan(figure) else repr(figure) for figure in figures),
                run.error,
            ]
        )
    return text.getvalue()


def as_json(
    comparison: Comparison, summaries: Sequence[ComparisonSummary], manifest: Provenance
) -> str:
    """The manifest, the tables of every scenario and all runs; null: does not apply."""
    content = {
        "manifest": asdict(manifest),
        "measures": {
            each.name: {
                "title": each.title,
                "unit": each.unit,
                "better": None if not each.compared else "less" if each.less else "more",
                "meaning": each.meaning,
            }
            for each in (*METRICS.values(), JOBS)
        },
        "scenarios": {one.scenario: _summary(one) for one in summaries},
        "runs": [
            {
                **asdict(run.key),
                "measures": run.metrics,
                "classes": run.classes,
                "error": run.error or None,
            }
            for run in comparison.runs
        ],
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write(path: Path, text: str) -> None:
    """Write a text; raises `InputError` if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # newline="": CSV brings its own line ends.
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error}", {"path": "a file to write to"}
        ) from None


def _summary(summary: ComparisonSummary) -> dict[str, Any]:
    return {
        "policies": [_line(line) for line in summary.lines],
        "front": [line.label for line in summary.front],
        "hypervolume": [_area(area) for area in summary.areas],
        "evidence": asdict(summary.evidence),
        "regime": {"policy": summary.baseline, **summary.regime},
        "warnings": list(summary.warnings),
    }


def _line(line: SummaryLine) -> dict[str, Any]:
    return {
        "policy": line.policy,
        "preference": line.preference,
        "label": line.label,
        "values": {name: asdict(value) for name, value in line.values.items()},
        "differences": {name: _difference(one) for name, one in line.differences.items()},
        "classes": {
            str(by): [_class(one) for one in classes] for by, classes in line.classes.items()
        },
    }


def _class(one: JobClass) -> dict[str, Any]:
    return {
        "class": one.name,
        "values": {name: asdict(value) for name, value in one.values.items()},
        "differences": {name: _difference(each) for name, each in one.differences.items()},
    }


def _area(area: Area) -> dict[str, Any]:
    difference = None if area.difference is None else _difference(area.difference)
    return {"policy": area.policy, "value": asdict(area.value), "difference": difference}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "value": asdict(one.value),
        "relative": asdict(one.relative),
        "median": one.median,
        "won": one.won,
        "lost": one.lost,
        "significant": one.shown,
        "verdict": one.verdict,
    }


def _plain(value: Any) -> Any:
    """With null for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
