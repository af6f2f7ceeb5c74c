"""How long a job will run on a device, and what that costs.

In this order, with the source that the estimate names:

1. `history`: the same work was measured on this device model; at another width, its rate is
   scaled by width^α, α fitted from works measured at several widths (85 % per doubling before).
   Widths inside a node and widths that span nodes have a history each. What was measured on one
   side only is carried to the other by a factor for the network, which is learned too.
2. `history`: it was measured on another model; its rate is scaled by the ratio of the two
   devices' rates: the nominal one, corrected by the works that were measured on both.
3. `flops`: samples × FLOPs per sample over the device's calibrated rate. Calibration learns,
   from whatever was measured there, how far the nominal rate is off, so that works never seen
   before are estimated better too.
4. `learned`, of commands: the median of what is predicted from alike commands that have ended;
   see `scheduler.estimates.learned`. `RuntimeModel` learns in the background.
5. `requested`: the maximum duration that its user gave. 6. `default`.

The time before the first sample is added; it is learned in the same way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from threading import RLock
from typing import NamedTuple

from scheduler.domain.jobs import ASSUMED, Estimate, JobKind, JobSpec, Profile
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement
from scheduler.domain.resources import DeviceKind
from scheduler.estimates.calibration import (
    NETWORK_PRIOR,
    PRIOR_EXPONENT,
    Correction,
    correction,
    device_exponent,
    exponent,
    kind_level,
    network_factor,
    ratio_correction,
    work_exponent,
)
from scheduler.estimates.history import Cell, History, Work, nearest
from scheduler.estimates.learned import RuntimeInterval, RuntimeModel
from scheduler.estimates.progress import Reports, remaining_s

OVERHEAD_S = 2.0
"""Seconds before the first sample, until measured."""
DEFAULT_S = 300.0
"""Estimate for work about which nothing is known."""
SHORTEST_S = 1e-3
_CACHED = 200_000


class Estimator:
    """Estimates of jobs; learns from `observe`. Safe to use from several threads."""

    def __init__(
        self,
        measurements: Iterable[Measurement] = (),
        pools: Iterable[Pool] = (),
        *,
        default_s: float = DEFAULT_S,
    ) -> None:
        """Start from a history (oldest first), held against the nominal rates of `pools`.

        Other pools become known when they are first asked for. `default_s`: see `DEFAULT_S`.
        """
        self._default_s = default_s
        self.learned = RuntimeModel()
        """Of commands, and of the errors of estimates; `unlearned` tells what it lacks."""
        self._unlearned: list[Measurement] = []
        self._history = History()
        self._pools: dict[str, Pool] = {}
        self._devices: dict[str, Pool] = {}  # by model: the first pool of it gives the rate
        self._exponents: dict[str, float] = {}
        self._networks: dict[str, float] = {}  # by device model; see `network_factor`
        self._corrections: dict[str, Correction] = {}
        # Device model → work → log of one device's samples per second over its nominal FLOP/s.
        self._gains: dict[str, dict[int, float]] = {}
        self._levels: dict[DeviceKind, float] = {}
        self._calibrated = False
        self._paces: dict[tuple[object, ...], _Pace] = {}
        self._reports: dict[str, Reports] = {}
        self._lock = RLock()
        self.version = 0
        """Rises whenever estimates may have changed."""
        for pool in pools:
            self._know(pool)
        for measurement in measurements:
            self.observe(measurement)

    def estimate(self, spec: JobSpec, pool: Pool, width: int) -> Estimate:
        """What `spec` takes on `width` devices of `pool`; capped by its maximum duration."""
        profile, pace = spec.profile, self._known_pace(spec, pool, width)
        limit, source = spec.max_duration_s, pace.source
        learned = None
        if not pace.source and spec.kind is JobKind.COMMAND:
            learned = self.learned.runtime(spec)
        if pace.source:
            runtime = pace.overhead_s + profile.samples * pace.seconds_per_sample
        elif learned is not None:
            (runtime, _), source = learned, "learned"
        elif limit is not None:
            runtime, source = limit, "requested"
        else:
            runtime, source = self._default_s, ASSUMED
        if limit is not None:
            runtime = min(runtime, limit)
        runtime = max(SHORTEST_S, runtime)
        device_seconds = runtime * width
        return Estimate(
            runtime_s=runtime,
            dollars=device_seconds / 3600 * pool.dollars_per_device_hour,
            joules=device_seconds * pool.watts_per_device,
            source=source,
        )

    def interval(
        self, spec: JobSpec, estimate: Estimate, model: str, width: int
    ) -> RuntimeInterval | None:
        """In which 80 % of such runtimes lie; None while too little has ended to tell.

        `estimate`: of `spec` on `width` devices of a model.
        """
        seconds, key = estimate.runtime_s, spec.profile.key
        if estimate.source != "learned":
            return self.learned.interval(seconds, estimate.source, key, model, width)
        learned = self.learned.runtime(spec)
        if learned is None:
            return None
        median, (low, high) = learned
        return RuntimeInterval(seconds * min(1.0, low / median), seconds * max(1.0, high / median))

    def start_up_s(self, spec: JobSpec, pool: Pool, width: int) -> float:
        """The part of the estimated runtime before the first sample, which any attempt needs."""
        pace = self._known_pace(spec, pool, width)
        limit = spec.max_duration_s
        return pace.overhead_s if limit is None else min(pace.overhead_s, limit)

    def observe(self, measurement: Measurement) -> None:
        """Learn from a finished attempt; one without work or time is ignored."""
        with self._lock:
            pool = self._pools.get(measurement.pool)
            spans = pool is not None and measurement.width > pool.devices_per_node
            if self._history.add(measurement, spans=spans):
                self._unlearned.append(measurement)
                self._forget_fits()

    def unlearned(self) -> list[Measurement]:
        """What `learned` has not learned yet, oldest first."""
        with self._lock:
            return self._unlearned.copy()

    def relearned(self, count: int) -> None:
        """The first `count` of `unlearned` are learned now."""
        with self._lock:
            del self._unlearned[:count]
            self.version += 1

    def progress(
        self, attempt: str, fraction: float, elapsed_s: float, *, resumed: float = 0.0
    ) -> None:
        """A running attempt has done `fraction` (0…1) of the job `elapsed_s` after its start.

        `resumed`: the fraction that earlier attempts had done.
        """
        if not (math.isfinite(fraction) and math.isfinite(elapsed_s)):
            return
        fraction, elapsed_s = min(1.0, max(0.0, fraction)), max(0.0, elapsed_s)
        with self._lock:
            known = self._reports.get(attempt)
            point = (fraction, elapsed_s)
            self._reports[attempt] = (
                known.and_then(fraction, elapsed_s) if known else Reports(point, point, resumed)
            )

    def remaining(
        self, attempt: str, expected_s: float, elapsed_s: float, limit_s: float | None = None
    ) -> float:
        """Seconds a running attempt will still take, from its estimate and its reports."""
        with self._lock:
            reports = self._reports.get(attempt)
        return remaining_s(expected_s, elapsed_s, reports, limit_s)

    def observed(self, attempt: str) -> float:
        """Share of the work (0…1) that the progress reports of a running attempt cover."""
        with self._lock:
            reports = self._reports.get(attempt)
        total = None if reports is None else reports.total_s()
        return 0.0 if total is None else total[1]

    def forget(self, attempt: str) -> None:
        """The attempt has ended: drop its reports."""
        with self._lock:
            self._reports.pop(attempt, None)

    def _known_pace(self, spec: JobSpec, pool: Pool, width: int) -> _Pace:
        profile, command = spec.profile, spec.kind is JobKind.COMMAND
        key = (profile.key, profile.flops_per_sample, command, pool.name, width)
        with self._lock:
            if self._pools.get(pool.name) is not pool:
                self._know(pool)
            pace = self._paces.get(key)
            if pace is None:
                if len(self._paces) >= _CACHED:
                    self._paces.clear()
                pace = self._paces[key] = self._pace(profile, pool, width, command=command)
            return pace

    def _know(self, pool: Pool) -> None:
        known = self._pools.get(pool.name)
        self._pools[pool.name] = pool
        if known != pool:
            device = self._devices.get(pool.model)
            if device is None or device.name == pool.name:
                self._devices[pool.model] = pool
            self._forget_fits()

    def _forget_fits(self) -> None:
        self._calibrated = False
        self._paces.clear()
        self.version += 1

    def _pace(self, profile: Profile, pool: Pool, width: int, *, command: bool) -> _Pace:
        if not self._calibrated:
            self._calibrate()
        log_rate, source = self._log_rate(profile, pool, width, command=command)
        if log_rate is None:
            return _Pace(0.0, 0.0, "")
        overhead = self._history.overhead(profile.key, pool.model)
        if overhead is None:
            overhead = 0.0 if command else OVERHEAD_S
        # Beyond e^±60 no rate is real; the cap keeps the arithmetic finite.
        return _Pace(math.exp(-min(60.0, max(-60.0, log_rate))), overhead, source)

    def _log_rate(
        self, profile: Profile, pool: Pool, width: int, *, command: bool
    ) -> tuple[float | None, str]:
        """Log samples per second, and its source; None if nothing is known."""
        work = self._history.work(profile.key)
        if work is not None:
            if profile.flops_per_sample > 0 and not work.flops_per_sample:
                # It was measured before its size was known: from now on it calibrates.
                work.flops_per_sample = profile.flops_per_sample
                work.fixed = False
                self._forget_fits()
                self._calibrate()
            spans = width > pool.devices_per_node
            here = self._scaled(work, pool.model, width, spans=spans)
            if here is not None:
                return here, "history"
            elsewhere = [
                rate + shift
                for model in work.cells | work.over_nodes
                if (rate := self._scaled(work, model, width, spans=spans)) is not None
                and (shift := self._shift(work, model, pool)) is not None
            ]
            if elsewhere:
                return sum(elsewhere) / len(elsewhere), "history"
        if command or profile.flops_per_sample <= 0:
            return None, ""
        return self._nominal(pool, width, profile.flops_per_sample), "flops"

    def _scaled(self, work: Work, model: str, width: int, *, spans: bool) -> float | None:
        """Log rate on a model where it was measured, at any width; `spans`: over nodes."""
        network = 0.0
        rates = work.rates(model, spans=spans)
        if not rates:
            rates = work.rates(model, spans=not spans)
            network = 0.0 if work.fixed else self._networks.get(model, NETWORK_PRIOR)
        if not rates:
            return None
        return self._at(work, model, width, rates) + (network if spans else -network)

    def _at(self, work: Work, model: str, width: int, rates: Mapping[int, Cell]) -> float:
        """Log rate at a width, from those measured on that model."""
        measured = nearest(rates, width)
        if measured == width:
            return rates[measured].log_rate
        # A command may ignore further devices: it scales only as far as was measured.
        prior = 0.0 if work.fixed else self._exponents.get(model, PRIOR_EXPONENT)
        power = work_exponent(prior, _log_rates(rates))
        return rates[measured].log_rate + power * math.log(width / measured)

    def _shift(self, work: Work, measured_on: str, pool: Pool) -> float | None:
        """Log of the ratio of two devices' rates; None if the other's is unknown."""
        if work.fixed:
            return 0.0
        other = self._devices.get(measured_on)
        if other is None:
            return None
        nominal = math.log(pool.flops_per_device / other.flops_per_device)
        here, there = self._gains.get(pool.model, {}), self._gains.get(measured_on, {})
        return nominal + ratio_correction(
            [gain - there[known] for known, gain in here.items() if known in there]
        )

    def _nominal(self, pool: Pool, width: int, flops_per_sample: float) -> float:
        power = self._exponents.get(pool.model, PRIOR_EXPONENT)
        rate = self._device(pool, flops_per_sample) - math.log(flops_per_sample)
        if width > pool.devices_per_node:
            rate += self._networks.get(pool.model, NETWORK_PRIOR)
        return rate + power * math.log(width)

    def _device(self, pool: Pool, flops_per_sample: float) -> float:
        """Log of one device's calibrated FLOP/s."""
        fitted = self._corrections.get(pool.model)
        known = self._levels.get(pool.kind, 0.0) if fitted is None else fitted.at(flops_per_sample)
        return math.log(pool.flops_per_device) + known

    def _calibrate(self) -> None:
        """Fit scaling and correction of every known device model to the history."""
        sizes: dict[str, list[float]] = defaultdict(list)
        residuals: dict[str, list[float]] = defaultdict(list)
        self._exponents, self._gains = {}, {}
        for model, pool in self._devices.items():
            works = [(work, _log_rates(cells)) for work, cells in self._history.on(model)]
            slopes = [
                slope
                for work, rates in works
                if not work.fixed and (slope := exponent(rates)) is not None
            ]
            power = self._exponents[model] = device_exponent(slopes)
            gains = self._gains[model] = {}
            for work, rates in works:
                if work.fixed:
                    continue
                per_device = [rate - power * math.log(width) for width, rate in rates.items()]
                mean = sum(per_device) / len(per_device)
                gains[id(work)] = mean - math.log(pool.flops_per_device)
                if work.flops_per_sample:
                    size = math.log(work.flops_per_sample)
                    sizes[model].append(size)
                    residuals[model].append(gains[id(work)] + size)
        self._networks = {model: self._network(model) for model in self._devices}
        levels: dict[DeviceKind, list[float]] = defaultdict(list)
        for model, values in residuals.items():
            levels[self._devices[model].kind].append(sum(values) / len(values))
        self._levels = {kind: kind_level(values) for kind, values in levels.items()}
        self._corrections = {
            model: correction(sizes[model], residuals[model], self._levels[pool.kind])
            for model, pool in self._devices.items()
            if residuals.get(model)
        }
        self._calibrated = True

    def _network(self, model: str) -> float:
        """The factor of a device model, from the works that were measured both ways on it."""
        return network_factor(
            [
                cell.log_rate - self._at(work, model, width, inside)
                for work, inside in self._history.on(model)
                if not work.fixed
                for width, cell in work.rates(model, spans=True).items()
            ]
        )


class _Pace(NamedTuple):
    """The speed of a work on one pool at one width; an empty source: nothing is known."""

    seconds_per_sample: float
    overhead_s: float
    source: str


def _log_rates(cells: Mapping[int, Cell]) -> dict[int, float]:
    return {width: cell.log_rate for width, cell in cells.items()}
