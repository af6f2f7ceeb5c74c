"""Which candidate looks on, since when, and what it has seen: over restarts too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scheduler.clock import Clock
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import FulcrumError
from scheduler.policies.guard import Guard
from scheduler.service.policy_control.replay_evaluation import Fit, FitState
from scheduler.service.policy_control.shadow import Shadow, ShadowView
from scheduler.store.base import Store

SHADOW = "policy_shadow"
"""The setting that remembers the candidate that a person has named."""
SEEN = "policy_shadow_seen"
"""The setting that remembers which candidate looks on, since when, and its counts."""

_log = logging.getLogger(__name__)


class ShadowControl:
    """One candidate at most. `offer` and `view` may be called at any time, the others in turn."""

    def __init__(self, store: Store, clock: Clock, log: Path, *, candidate: str | None) -> None:
        """`candidate`: of the settings, until a person names another or none."""
        self._store = store
        self._clock = clock
        self._log = log
        self._candidate = candidate
        self._shadow: Shadow | None = None
        self._fit: Fit | None = None

    def recall(self, guarded: Callable[[str], Guard]) -> None:
        """Take up what was remembered; `guarded` makes a policy of a name."""
        remembered = self._store.setting(SHADOW)
        name = self._candidate if remembered is None else remembered["name"]
        if name is None:
            self._keep(None)  # one that looks on later will have missed what comes now
            return
        try:
            guard = guarded(name)
        except FulcrumError as error:
            _log.warning("the shadow policy cannot be used: %s", error)
            self._keep(None)  # nor will it know later what comes now
            return
        self._replace(guard, self._seen(guard.name))
        self._keep(self.view())

    def follow(self, guard: Guard | None, name: str | None, actor: str) -> None:
        """Let it look on from now (None: no longer any); the same one named again begins anew."""
        self._replace(guard)
        seen = self.view()
        self._store.set_settings(
            {SHADOW: {"name": name}, "shadow_set_by": actor, SEEN: seen and seen.json()}
        )

    def offer(self, snapshot: Snapshot, mode: Mode, placed: Sequence[Placement]) -> None:
        """What was decided; returns at once."""
        shadow = self._shadow
        if shadow is not None:
            shadow.offer(snapshot, mode, placed)

    def view(self) -> ShadowView | None:
        """As people see it, with the last replay against the active policy."""
        shadow = self._shadow
        return None if shadow is None else replace(shadow.view(), fit=self._fit)

    @property
    def scoring(self) -> bool:
        """Whether a replay of the candidate is under way."""
        return self._fit is not None and self._fit.state == FitState.RUNNING

    def scored(self, fit: Fit) -> None:
        """A replay has begun or ended; of another candidate's nothing is kept."""
        shadow = self._shadow
        if shadow is not None and shadow.view().name == fit.nominee:
            self._fit = fit

    def stop(self) -> None:
        """End; it goes on counting after the next `recall`."""
        if self._shadow is not None:
            self._shadow.stop()

    def _seen(self, name: str) -> ShadowView | None:
        """What that policy has seen before; None: nothing that is remembered."""
        try:
            seen = ShadowView.of(self._store.setting(SEEN) or {})
        except TypeError:  # none, or of another version
            return None
        return seen if seen.name == name else None

    def _replace(self, guard: Guard | None, before: ShadowView | None = None) -> None:
        self.stop()
        self._fit = None
        self._shadow = None
        if guard is not None:
            self._shadow = Shadow(guard, self._clock, self._log, before=before, keep=self._keep)

    def _keep(self, seen: ShadowView | None) -> None:
        try:
            self._store.set_settings({SEEN: seen and seen.json()})
        except FulcrumError as error:
            _log.warning("what the shadow has seen is not remembered: %s", error)
