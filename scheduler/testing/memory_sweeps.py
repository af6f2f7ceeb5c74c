"""The sweeps of the reference store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.groups.sweeps import Sweep, SweepSpec, SweepState, SweepTrial
from scheduler.domain.jobs import fresh_nonce
from scheduler.store import sweep_codec
from scheduler.store.sweeps import SweepQuery


@dataclass(slots=True)
class SweepTables:
    """What it holds."""

    sweeps: dict[int, Sweep] = field(default_factory=dict)
    trials: dict[tuple[int, int], SweepTrial] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """Actor and key → digest and sweep."""

    def copy(self) -> SweepTables:
        """An independent copy."""
        return SweepTables(self.sweeps.copy(), self.trials.copy(), self.keys.copy())


@dataclass(frozen=True, slots=True)
class MemorySweepStore:
    """A `SweepStore` on the tables of a `MemoryStore`."""

    read: Callable[[], SweepTables]
    change: Callable[[], AbstractContextManager[SweepTables]]

    def submit(
        self, spec: SweepSpec, *, now: float, actor: str, key: str | None = None, digest: str = ""
    ) -> tuple[Sweep, bool]:
        """See `SweepStore.submit`."""
        spec = sweep_codec.stored(spec)
        with self.change() as tables:
            if key is not None and (actor, key) in tables.keys:
                known, number = tables.keys[actor, key]
                if known != digest:
                    raise StateError(
                        f"the key {key!r} was used for another request",
                        {"Idempotency-Key": "a new key, or the same request again"},
                    )
                return tables.sweeps[number], True
            number = len(tables.sweeps) + 1
            made = Sweep(number, spec, SweepState.RUNNING, "", now, fresh_nonce())
            tables.sweeps[number] = made
            if key is not None:
                tables.keys[actor, key] = (digest, number)
            return made, False

    def sweep(self, number: int) -> Sweep:
        """See `SweepStore.sweep`."""
        return _found(self.read(), number)

    def sweeps(
        self, query: SweepQuery, *, before: int | None = None, limit: int = 100
    ) -> list[Sweep]:
        """See `SweepStore.sweeps`."""
        found = (
            sweep
            for sweep in reversed(self.read().sweeps.values())
            if (before is None or sweep.id < before) and query.matches(sweep)
        )
        return list(found)[: max(limit, 0)]

    def move(
        self,
        number: int,
        origin: Collection[SweepState],
        state: SweepState,
        reason: str,
        now: float,
    ) -> Sweep:
        """See `SweepStore.move`."""
        with self.change() as tables:
            sweep = _found(tables, number)
            if sweep.state in origin:
                end = now if state.final else None
                tables.sweeps[number] = replace(sweep, state=state, reason=reason, finished_at=end)
            return tables.sweeps[number]

    def trials(self, sweep: int) -> list[SweepTrial]:
        """See `SweepStore.trials`."""
        found = (trial for trial in self.read().trials.values() if trial.sweep == sweep)
        return sorted(found, key=lambda trial: trial.number)

    def record(self, trials: Sequence[SweepTrial]) -> None:
        """See `SweepStore.record`."""
        with self.change() as tables:
            tables.trials |= {(trial.sweep, trial.number): trial for trial in trials}


def _found(tables: SweepTables, number: int) -> Sweep:
    try:
        return tables.sweeps[number]
    except KeyError:
        raise MissingError(f"there is no sweep {number}") from None
