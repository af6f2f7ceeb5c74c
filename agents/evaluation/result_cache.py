"""A file of finished runs, with which an interrupted comparison resumes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from agents.evaluation.by_class import CLASS_METRICS, Breakdown, By
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import METRICS
from agents.evaluation.provenance import code
from agents.evaluation.run import RunKey, RunResult
from agents.registry.registry import content, default
from agents.serving.learned_policy import SCHEME
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.policies.lookup import WGC, inner_of
from scheduler.policies.schedules import SUFFIX

_BY = frozenset(map(str, By))


class ResultCache:
    """A file of JSON lines. A line counts only for equal code, policy, scenario and conditions.

    Use it as a context; raises `InputError` if the file cannot be read and written.
    """

    def __init__(self, path: Path, comparison: Comparison) -> None:
        self._path = path
        self._comparison = comparison
        self._contents = {name: _content(name) for name in comparison.policies}
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error}", {"resume": "a file to write to"}
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def known(self) -> dict[RunKey, RunResult]:
        """Successful runs of the comparison, without seeds whose timelines are kept."""
        wanted = set(self._comparison.keys)
        found = {}
        for line in self._lines():
            run = _run(line)
            if run is None or run.key not in wanted or run.error:
                continue
            if line.get("stamp") != self._stamp(run.key):
                continue
            if run.key.seed != self._comparison.conditions.timeline:
                found[run.key] = run
        return found

    def add(self, run: RunResult) -> None:
        """Write a run immediately."""
        assert self._file is not None
        line = asdict(run)
        del line["timeline"]
        line["stamp"] = self._stamp(run.key)
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _stamp(self, key: RunKey) -> list[Any]:
        """Values that must be equal for a kept run to count."""
        conditions = self._comparison.conditions
        return [
            self._comparison.scenarios[key.scenario].digest,
            self._contents[key.policy],
            code(),
            str(conditions.split),
            conditions.jobs,
            conditions.starved_s,
            str(conditions.clock),
        ]

    def _lines(self) -> list[dict[str, Any]]:
        assert self._file is not None
        self._file.seek(0)
        text = self._file.read()
        if text and not text.endswith("\n"):
            # The process was killed while it wrote a line: the next one must not be appended to it.
            self._file.write("\n")
        lines = []
        for line in text.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                lines.append(value)
        return lines


def _content(policy: str) -> str:
    """Digest of the files that a policy is read from, which may change between runs.

    Empty for a policy that is code, and for one that cannot be read, whose runs fail.
    """
    scheme, _, rest = inner_of(policy).partition(":")
    try:
        if scheme == SCHEME:
            return content(rest, default())
        if scheme == WGC.name and rest.endswith(SUFFIX):
            return hashlib.sha256(Path(rest).read_bytes()).hexdigest()[:12]
    except (FulcrumError, OSError):
        pass
    return ""


def _run(line: Mapping[str, Any]) -> RunResult | None:
    """The run of a line, or None if the line is damaged."""
    try:
        metrics = {str(name): float(value) for name, value in line["metrics"].items()}
        run = RunResult(
            key=RunKey(**line["key"]),
            metrics=metrics,
            classes=_classes(line["classes"]),
            rows=None if line["rows"] is None else (int(line["rows"][0]), int(line["rows"][1])),
            point=(float(line["point"][0]), float(line["point"][1])),
            jct=tuple(map(float, line["jct"])),
            bounded_slowdown=tuple(map(float, line["bounded_slowdown"])),
            error=str(line["error"]),
            clock=str(line["clock"]),
            seconds=float(line["seconds"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    whole = not run.error and run.metrics.keys() == METRICS.keys() and run.classes.keys() == _BY
    return run if whole and math.isfinite(run.seconds) else None


def _classes(told: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Breakdown:
    return {
        by: {
            name: {metric: float(values[metric]) for metric in CLASS_METRICS}
            for name, values in classes.items()
        }
        for by, classes in told.items()
    }
