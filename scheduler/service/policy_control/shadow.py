"""Shadow mode: what another policy would have done at each decision, beside the one that decides.

A shadow sees every snapshot that was decided on, after the plan was carried out, in its own thread.
Snapshots that it cannot keep up with are dropped and counted; nothing it does reaches a job.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from scheduler.clock import Clock
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import FulcrumError
from scheduler.policies.guard import Guard
from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation, ReplayState
from scheduler.store.base import Store

_log = logging.getLogger(__name__)

SHADOW = "policy_shadow"
"""The setting that keeps the candidate that a person has named."""
SEEN = "policy_shadow_seen"
"""The setting that keeps which candidate is the shadow, since when, and its counts."""
WAITING = 64
"""Snapshots that may wait for the shadow."""
LARGEST = 8 * 2**20
"""Bytes of a log; the one before it is kept as `.1`."""
KEEP_S = 60.0
"""Seconds of counts that a killed service may lose."""
_JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ShadowView:
    """How a candidate policy compares, decision by decision."""

    name: str
    since: float
    """Unix seconds; no restart changes it."""
    rounds: int = 0
    """Snapshots that both decided on, the candidate without its guard's help."""
    placements: int = 0
    """Different placements that either made."""
    agreed: int = 0
    """Placements made by both: the same job in the same pool at the same width."""
    dropped: int = 0
    """Snapshots skipped because the candidate was too slow."""
    failed: int = 0
    """Snapshots on which it failed or was replaced by its guard."""
    fit: ReplayEvaluation | None = None
    """The last replay against the active policy, if one was asked for."""

    @property
    def agreement(self) -> float | None:
        """Agreed ÷ placements; None before the first."""
        return self.agreed / self.placements if self.placements else None

    def json(self) -> dict[str, Any]:
        """All but the evaluation, for the store."""
        values = asdict(self)
        del values["fit"]
        return values

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `json`; raises `TypeError` for anything else."""
        return cls(**values)


Keep = Callable[[ShadowView], None]
"""Stores the counts; raises nothing."""


class Shadow:
    """One candidate and its log. `offer` returns at once; the rest happens in the thread."""

    def __init__(
        self,
        guard: Guard,
        clock: Clock,
        log: Path,
        *,
        before: ShadowView | None = None,
        keep: Keep | None = None,
    ) -> None:
        """`log`: JSON lines, one for each snapshot on which either policy placed a job.

        `before`: its counts before a restart. `keep`: called now and then, and at the end.
        """
        self._guard = guard
        self._clock = clock
        self._log = log
        self._keep = keep
        self._kept = clock.now()
        self._inbox: queue.Queue[tuple[Snapshot, Mode, tuple[Placement, ...]] | None]
        self._inbox = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._view = before or ShadowView(guard.name, clock.now())
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, snapshot: Snapshot, mode: Mode, placed: Sequence[Placement]) -> None:
        """Take what was decided on, the cluster's mode, and what the active policy placed."""
        try:
            self._inbox.put_nowait((snapshot, mode, tuple(placed)))
        except queue.Full:
            self._count(dropped=1)

    def view(self) -> ShadowView:
        """Counts so far."""
        with self._lock:
            return self._view

    def stop(self) -> None:
        """End; snapshots that still wait are skipped. A candidate that hangs is left behind."""
        if self._gone.is_set():
            return
        self._gone.set()
        with suppress(queue.Full):  # then the thread has something to wake up for
            self._inbox.put_nowait(None)
        self._thread.join(_JOIN_S)
        if self._keep is not None:
            self._keep(self.view())

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None and not self._gone.is_set():
            try:
                self._follow(*item)
            except Exception:
                _log.exception("shadow %s failed", self._guard.name)
                self._count(failed=1)
            now = self._clock.now()
            if self._keep is not None and now - self._kept >= KEEP_S and not self._gone.is_set():
                self._kept = now
                self._keep(self.view())

    def _follow(self, snapshot: Snapshot, mode: Mode, placed: tuple[Placement, ...]) -> None:
        before = self._guard.fallbacks
        plan = run_round(snapshot, self._guard, self._guard.mode or mode)
        replaced = self._guard.fallbacks > before
        live = [_place(snapshot, one) for one in placed]
        would = [_place(snapshot, one) for one in plan.placements]
        both, either = len(set(live) & set(would)), len(set(live) | set(would))
        if replaced:
            # A decision of the guard says nothing about the candidate.
            self._count(failed=1)
        else:
            self._count(rounds=1, placements=either, agreed=both)
        if either:
            self._write(
                {
                    "time": snapshot.now,
                    "shadow": self._guard.name,
                    "queued": snapshot.world.depth,
                    "placed": live,
                    "would": would,
                    "replaced": replaced,
                }
            )

    def _count(self, **more: int) -> None:
        with self._lock:
            sums = {name: getattr(self._view, name) + count for name, count in more.items()}
            self._view = replace(self._view, **sums)

    def _write(self, line: dict[str, object]) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(line) + "\n"
        if self._log.exists() and self._log.stat().st_size + len(text) > LARGEST:
            self._log.replace(self._log.with_name(self._log.name + ".1"))
        with self._log.open("a", encoding="utf-8") as file:
            file.write(text)


class ShadowControl:
    """At most one shadow. `offer` and `view` may be called at any time, the others in turn."""

    def __init__(self, store: Store, clock: Clock, log: Path, *, candidate: str | None) -> None:
        """`candidate`: the one of the settings, until a person names another or none."""
        self._store = store
        self._clock = clock
        self._log = log
        self._candidate = candidate
        self._shadow: Shadow | None = None
        self._evaluation: ReplayEvaluation | None = None

    def recall(self, guarded: Callable[[str], Guard]) -> None:
        """Continue as the store says; `guarded` makes a policy of a name."""
        remembered = self._store.setting(SHADOW)
        name = self._candidate if remembered is None else remembered["name"]
        if name is None:
            self._keep(None)  # a later shadow will have missed the snapshots until then
            return
        try:
            guard = guarded(name)
        except FulcrumError as error:
            _log.warning("the shadow policy cannot be used: %s", error)
            self._keep(None)  # it misses the snapshots until it can be used
            return
        self._replace(guard, self._seen(guard.name))
        self._keep(self.view())

    def follow(self, guard: Guard | None, name: str | None, actor: str) -> None:
        """Let the candidate see decisions from now on (None: no shadow), with counts from 0."""
        self._replace(guard)
        seen = self.view()
        self._store.set_settings(
            {SHADOW: {"name": name}, "shadow_set_by": actor, SEEN: seen and seen.json()}
        )

    def offer(self, snapshot: Snapshot, mode: Mode, placed: Sequence[Placement]) -> None:
        """Take what was decided; returns at once."""
        shadow = self._shadow
        if shadow is not None:
            shadow.offer(snapshot, mode, placed)

    def view(self) -> ShadowView | None:
        """As people see it, with the last replay against the active policy."""
        shadow = self._shadow
        return None if shadow is None else replace(shadow.view(), fit=self._evaluation)

    @property
    def scoring(self) -> bool:
        """Whether a replay of the candidate is under way."""
        found = self._evaluation
        return found is not None and found.state == ReplayState.RUNNING

    def scored(self, evaluation: ReplayEvaluation) -> None:
        """A replay has begun or ended; that of another candidate is ignored."""
        shadow = self._shadow
        if shadow is not None and shadow.view().name == evaluation.nominee:
            self._evaluation = evaluation

    def stop(self) -> None:
        """End; the counts continue after the next `recall`."""
        if self._shadow is not None:
            self._shadow.stop()

    def _seen(self, name: str) -> ShadowView | None:
        """The stored counts of that policy; None: none are stored."""
        try:
            seen = ShadowView.of(self._store.setting(SEEN) or {})
        except TypeError:  # none, or of another version
            return None
        return seen if seen.name == name else None

    def _replace(self, guard: Guard | None, before: ShadowView | None = None) -> None:
        self.stop()
        self._evaluation = None
        self._shadow = None
        if guard is not None:
            self._shadow = Shadow(guard, self._clock, self._log, before=before, keep=self._keep)

    def _keep(self, seen: ShadowView | None) -> None:
        try:
            self._store.set_settings({SEEN: seen and seen.json()})
        except FulcrumError as error:
            _log.warning("the counts of the shadow are not stored: %s", error)


def _place(snapshot: Snapshot, placed: Placement) -> tuple[int, str, int]:
    return placed.job, snapshot.pools[placed.pool].name, placed.width
