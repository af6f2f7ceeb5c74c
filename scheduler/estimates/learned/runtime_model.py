"""What ended jobs tell of the runtimes of commands, and of how far estimates are off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from scheduler.decisions.kernel.arithmetic import exp, ln
from scheduler.domain.jobs import JobSpec
from scheduler.domain.records import Measurement
from scheduler.estimates.learned.group_quantiles import GroupQuantiles, Prediction
from scheduler.estimates.learned.job_facts import Group, facts_of
from scheduler.estimates.learned.mixture import INTERVALS

MOST_GROUPS = 8_000
"""Groups of which something is remembered, by each of two predictors: 2 KiB each."""
MOST_JOBS = 20_000
"""Jobs whose prediction at submission is kept until they end, and newest attempts in `covered`."""
_LOW, _HIGH = INTERVALS[0.8]
_SHORTEST_S = 1e-3


class RuntimeInterval(NamedTuple):
    """The 10 % and 90 % quantiles of a runtime, in s."""

    low_s: float
    high_s: float


class RuntimeModel:
    """Learns from jobs in the order of their submissions and ends. Safe to use from threads."""

    def __init__(self) -> None:
        self._runtimes = GroupQuantiles(MOST_GROUPS)
        self._errors = GroupQuantiles(MOST_GROUPS)
        self._foreseen: dict[int, Prediction] = {}
        """By job, as of its submission."""
        self._covered: dict[tuple[int, int], bool] = {}
        self._cached: dict[tuple[Group, ...], Prediction | None] = {}
        """Of runtimes and of errors, since the last end: their groups have other names."""
        self._lock = Lock()

    def submitted(self, job: int, spec: JobSpec) -> None:
        """A command was submitted: intervals learn from what is predicted now."""
        prediction = self._predict(self._runtimes, facts_of(spec).groups())
        with self._lock:
            if prediction is not None:
                self._foreseen[job] = prediction
                _forget_oldest(self._foreseen)

    def ended(self, measurement: Measurement, spec: JobSpec | None = None) -> None:
        """An attempt ended well: learn how far its estimate was off.

        `spec`: of a command, whose runtime is learned too.
        """
        seconds, estimated_s = max(measurement.seconds, _SHORTEST_S), measurement.estimated_s
        source, width = measurement.source, measurement.width
        groups = _groups(source, measurement.key, measurement.model, width)
        with self._lock:
            foreseen = self._foreseen.pop(measurement.job, None)
            if estimated_s > 0:
                learned = foreseen if source == "learned" else self._errors.predict(groups)
                told = math.log(seconds if source == "learned" else seconds / estimated_s)
                if learned is not None:
                    inside = bool(learned.logs[_LOW] <= told <= learned.logs[_HIGH])
                    self._covered[measurement.job, measurement.attempt] = inside
                    _forget_oldest(self._covered)
                self._errors.end(groups, ln(seconds / estimated_s))
            if spec is not None:
                whole_s = measurement.overhead_s + 1.0 / measurement.rate
                self._runtimes.end(facts_of(spec).groups(), ln(whole_s), foreseen)
            self._cached.clear()

    def covered(self) -> Mapping[tuple[int, int], bool]:
        """(job, attempt) → whether its runtime was inside the interval of its estimate.

        Of attempts that have ended since some interval was known. The interval of a learned
        runtime is that of the submission, others are those known just before the end.
        """
        with self._lock:
            return self._covered.copy()

    def runtime(self, spec: JobSpec) -> tuple[float, RuntimeInterval] | None:
        """The median (s) of a command, and its interval; None until some have ended."""
        found = self._predict(self._runtimes, facts_of(spec).groups())
        if found is None:
            return None
        return found.median, RuntimeInterval(exp(found.logs[_LOW]), exp(found.logs[_HIGH]))

    def interval(
        self, seconds: float, source: str, key: str, model: str, width: int
    ) -> RuntimeInterval | None:
        """The interval around an estimate of `seconds`, from the errors of earlier ones.

        None until some attempts have ended. It holds the estimate.
        """
        found = self._predict(self._errors, _groups(source, key, model, width))
        if found is None:
            return None
        low, high = exp(found.logs[_LOW]), exp(found.logs[_HIGH])
        return RuntimeInterval(seconds * min(low, 1.0), seconds * max(high, 1.0))

    def _predict(self, model: GroupQuantiles, groups: tuple[Group, ...]) -> Prediction | None:
        with self._lock:
            if groups not in self._cached:
                self._cached[groups] = model.predict(groups)
            return self._cached[groups]


def _forget_oldest(known: dict[Any, Any]) -> None:
    if len(known) > MOST_JOBS:
        del known[next(iter(known))]


def _groups(source: str, key: str, model: str, width: int) -> tuple[Group, ...]:
    """Groups of estimates whose errors are alike, from the most specific to that of all."""
    kind = key.partition(":")[0]
    return (
        ("error", key, source, model, width),
        ("error", key, source),
        ("error", kind, source, model),
        ("error", kind, source),
        ("error", source),
        ("error",),
    )
