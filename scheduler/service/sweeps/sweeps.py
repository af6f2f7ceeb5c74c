"""The sweeps of a service: they are submitted, cancelled and shown; its leader carries them out."""

from __future__ import annotations

import logging

from scheduler.domain.errors import FulcrumError, IllegalTransitionError
from scheduler.domain.groups.sweeps import LIVE_SWEEPS, Sweep, SweepSpec, SweepState
from scheduler.service.sweeps.sweep_run import JobAccess, SweepRun
from scheduler.service.sweeps.views import SweepView
from scheduler.store.sweeps import SweepQuery

LOOK_S = 0.5
"""Seconds between two looks at the trials."""
MOST_LIVE = 1000
"""Sweeps that are carried out at the same time."""
_log = logging.getLogger(__name__)


class SweepService:
    """Takes sweeps, and carries them out look by look."""

    def __init__(self, access: JobAccess) -> None:
        self._access = access
        self._runs: dict[int, SweepRun] = {}

    def submit(
        self, spec: SweepSpec, *, actor: str, key: str | None = None, digest: str = ""
    ) -> tuple[Sweep, bool]:
        """Store a sweep, durable on return; it, and whether an earlier request made it.

        Raises `StateError` for the idempotency key of another request, `OutageError`.
        """
        return self._access.store.sweeps.submit(
            spec, now=self._access.now(), actor=actor, key=key, digest=digest
        )

    def cancel(self, number: int, *, actor: str, reason: str = "") -> Sweep:
        """Make no further trials, and cancel those that are live.

        Raises `MissingError`, or `IllegalTransitionError` if it has ended.
        """
        sweep = self._access.store.sweeps.move(
            number,
            [SweepState.RUNNING],
            SweepState.CANCELLING,
            reason or f"cancelled by {actor}",
            self._access.now(),
        )
        if sweep.state.final:
            raise IllegalTransitionError(
                f"sweep {number} is {sweep.state} already",
                {"state": "only a sweep that has not ended can be cancelled"},
            )
        return sweep

    def view(self, number: int) -> SweepView:
        """The sweep with its trials and what they cost; raises `MissingError`."""
        return SweepView.read(self._access.store, number, self._access.now())

    def look(self) -> None:
        """Carry out what is due, once. What fails is done by the next look."""
        live = self._access.store.sweeps.sweeps(SweepQuery(states=LIVE_SWEEPS), limit=MOST_LIVE)
        self._runs = {sweep.id: self._runs[sweep.id] for sweep in live if sweep.id in self._runs}
        for sweep in reversed(live):
            self._advance(sweep)

    def _advance(self, sweep: Sweep) -> None:
        try:
            if sweep.id not in self._runs:
                self._runs[sweep.id] = SweepRun(sweep, self._access)
            self._runs[sweep.id].advance(sweep)
        except FulcrumError as error:
            self._runs.pop(sweep.id, None)
            _log.warning("sweep %d: %s; the next look goes on", sweep.id, error)
        except Exception:
            self._runs.pop(sweep.id, None)
            _log.exception("sweep %d failed; the next look goes on", sweep.id)
