"""Many simulations that are stepped together, each through its own episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from envs.compiled.compiling import compiled
from envs.compiled.facts import MODES, Facts
from envs.compiled.kernel import preceding, settle, take, to_come
from envs.compiled.observation import encode
from envs.compiled.state import Setting, State, allocate
from envs.compiled.stepping import walk
from envs.simulator.cluster_spec import ClusterSpec
from scheduler.arrays import Floats, Floats32, Ints
from scheduler.decisions.features.columns import GAIN, GLOBAL_COLUMNS, ROW_COLUMNS, TOP
from scheduler.decisions.features.encoder import size
from scheduler.decisions.kernel.starts import AHEAD_S


class Worlds:
    """B simulations of equal clusters; deterministic."""

    def __init__(self, spec: ClusterSpec, worlds: int, jobs: int, rows: int) -> None:
        """`jobs`: at most so many in an episode; `rows`: K."""
        self.jobs, self.state = allocate(worlds, jobs + 1, rows)
        self.setting = _setting(spec, rows)
        self.dollars_per_device_s = spec.pools[0].dollars_per_device_hour / 3600
        self.w: Floats = np.full(worlds, 0.5)
        """(B,) Preference of each world."""
        self.seen: Floats32 = np.zeros((worlds, size(rows)), dtype=np.float32)
        """(B, size) Encodings of what is to be decided; 0 where an episode is over."""
        self.ahead: Floats = np.zeros((worlds, 2))
        """(B, 2) Latency and device-seconds that running jobs will add, by estimates."""

    def begin(self, b: int, facts: Facts, w: float) -> bool:
        """World `b` begins an episode; whether anything is to be decided in it."""
        self._load(b, facts, w)
        _begin(b, w, self.jobs, self.state, self.setting, self.seen, self.ahead)
        return bool(self.state.rows[b])

    def walk(self, b: int, facts: Facts, place: Ints) -> Floats:
        """World `b` plays an episode to its end by a static order; see `stepping.walk`."""
        self._load(b, facts, 1.0)
        self.seen[b] = 0.0
        return walk(b, place, self.jobs, self.state, self.setting)

    def completion(self, b: int) -> Floats:
        """(jobs,) Seconds from submission to end of each job of a world whose episode is over."""
        slots = slice(1, int(self.state.total[b]) + 1)
        jct: Floats = self.state.over[b, slots] - self.jobs.submitted[b, slots]
        return jct

    def step(self, actions: Ints, worlds: Ints) -> None:
        """(n,) A shown row, never WAIT, for each of these worlds."""
        _step(actions, worlds, self.w, self.jobs, self.state, self.setting, self.seen, self.ahead)

    def _load(self, b: int, facts: Facts, w: float) -> None:
        jobs, state, slots = self.jobs, self.state, facts.jobs + 1
        for field in Facts._fields:
            getattr(jobs, field)[b, ..., :slots] = getattr(facts, field)
        for figures in state:
            figures[b] = 0
        state.total[b] = facts.jobs
        state.free[b] = self.setting.devices
        self.w[b] = w


def _setting(spec: ClusterSpec, rows: int) -> Setting:
    pool = spec.pools[0]
    unit = {column.name: column.unit for column in GLOBAL_COLUMNS}

    def squashed(name: str, value: float) -> float:
        return min(GAIN * math.log1p(value / unit[name]), TOP)

    return Setting(
        mode=MODES.index(spec.mode),
        devices=pool.count,
        rows=rows,
        units=np.array([column.unit for column in ROW_COLUMNS], dtype=np.float32),
        ahead=np.array(AHEAD_S),
        globals=_units(unit, ("depth", "work", "urgency", "beyond")),
        site=np.array([squashed("devices", pool.count), squashed("pools", 1), 0.0]),
    )


def _units(unit: dict[str, float], names: Sequence[str]) -> Floats:
    return np.array([unit[name] for name in names])


@compiled
def _begin(
    b: int, w: float, jobs: Facts, state: State, setting: Setting, seen: Floats32, ahead: Floats
) -> None:
    rows = np.empty(state.queue.shape[1], dtype=np.int64)
    count = settle(b, jobs, state, setting, rows)
    ahead[b] = to_come(b, jobs, state)
    if count:
        encode(b, rows, count, w, jobs, state, setting, seen[b])
    else:
        state.rows[b] = 0
        seen[b] = 0.0


@compiled
def _step(
    actions: Ints, worlds: Ints, w: Floats, jobs: Facts, state: State, setting: Setting,
    seen: Floats32, ahead: Floats,
) -> None:  # fmt: skip
    for index in range(len(worlds)):
        b = worlds[index]
        take(b, preceding(b, state.shown[b, actions[index]], jobs, state), jobs, state, setting)
        _begin(b, w[b], jobs, state, setting, seen, ahead)
