"""Which policy decides: as the settings say, a person says, or replays on this cluster say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scheduler.clock import Clock
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import (
    FulcrumError,
    InputError,
    MissingError,
    OutageError,
    StateError,
)
from scheduler.domain.pools import Pool
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.replay_evaluation import (
    PAST_S,
    Replay,
    ReplayEvaluation,
    ReplayRunner,
    ReplayState,
    digest,
)
from scheduler.service.policy_control.shadow import ShadowControl
from scheduler.service.policy_control.views import ActivePolicyView, Preferences
from scheduler.store.base import Store

POLICY = "policy"
"""The setting that remembers what a person has chosen."""
FIT = "policy_fit"
"""The setting that remembers the last fit."""
PREFERENCES = "preferences"
"""The setting that remembers the preferences that a person has set."""
_NO_SIMULATOR = "this service has no simulator to replay jobs with"

_log = logging.getLogger(__name__)


class PolicyController:
    """Changes the active_policy, and remembers why. Thread-safe."""

    def __init__(
        self,
        active_policy: ActivePolicy,
        store: Store,
        clock: Clock,
        pools: Sequence[Pool],
        *,
        rival: str,
        replay: Replay | None = None,
        fit: bool = True,
        shadow: str | None = None,
        shadow_log: Path,
    ) -> None:
        """`rival`: what a fitted policy is held against. `fit`: without being asked, too.

        `shadow`: the candidate of the settings, until a person names another or none.
        """
        self._active_policy = active_policy
        self._store = store
        self._clock = clock
        self._pools = tuple(pools)
        self._rival = rival
        self._replay = replay
        self._wanted = fit
        self._replays = None if replay is None else ReplayRunner(replay, clock)
        self._lock = threading.Lock()
        self._turn = 0
        """Rises with every choice of a person: a fit that was begun before changes nothing then."""
        self._nominee = active_policy.view().name
        self._fit: ReplayEvaluation | None = None
        self._shadow_control = ShadowControl(store, clock, shadow_log, candidate=shadow)

    def start(self) -> None:
        """Take up what was remembered; replay if the settings' policy must prove itself."""
        pinned = self._recall()
        self._recall_preferences()
        self._shadow_control.recall(self._active_policy.guarded)
        self._nominee = self._active_policy.view().name
        last = self._last()
        if last is not None and last.nominee != self._nominee:
            last = None  # it tells nothing of what is wanted now
        self._fit = last
        if pinned or not self._wanted or self._replay is None:
            return
        if not self._replay.concerns(self._nominee):
            return
        here = digest(self._pools)
        if last is not None and last.pools == here and last.ahead is not None:
            self._serve(last)
        moved = last is not None and last.pools != here
        with self._lock:
            self._begin("pools" if moved else "start")

    def stop(self) -> None:
        """A replay under way is cancelled, the shadow ends."""
        self._cancel()
        self._shadow_control.stop()

    def wait(self, timeout_s: float) -> bool:
        """Wait until no replay is under way; False: one still is after `timeout_s`."""
        return self._replays is None or self._replays.wait(timeout_s)

    def view(self) -> ActivePolicyView:
        """As people see it."""
        return replace(
            self._active_policy.view(),
            nominee=self._nominee,
            fit=self._fit,
            shadow=self._shadow_control.view(),
        )

    def watch(self, snapshot: Snapshot, mode: Mode, placed: Sequence[Placement]) -> None:
        """What was decided; returns at once."""
        self._shadow_control.offer(snapshot, mode, placed)

    def follow(self, name: str | None, actor: str) -> ActivePolicyView:
        """Let a candidate see every decision (None: no longer any); remembered over restarts.

        The same one named again begins anew. Raises `MissingError` or `InputError` and then
        changes nothing.
        """
        guard = None if name is None else self._active_policy.guarded(name)
        with self._lock:
            scored = self._shadow_control.scoring
            self._shadow_control.follow(guard, name, actor)
        if scored:
            self._cancel()
        return self.view()

    def score(self) -> ActivePolicyView:
        """Replay the shadow and the active policy on the jobs since the shadow began.

        With fewer than `Question.least_jobs` of them that ended well, on made-up ones.
        Changes nobody's place. Raises `MissingError` without a shadow, `StateError` while a
        replay is under way or if the shadow decides itself, `OutageError` without a simulator.
        """
        with self._lock:
            shadow = self._shadow_control.view()
            if shadow is None:
                raise MissingError("there is no shadow", {"shadow": "name one first"})
            if shadow.name == self._active_policy.view().name:
                raise StateError(
                    f"{shadow.name} decides itself", {"shadow": "another than the active policy"}
                )
            if self._replays is None:
                raise OutageError(_NO_SIMULATOR)
            question = self._active_policy.question(
                shadow.name,
                self._active_policy.view().name,
                self._pools,
                shadow.since,
                self._clock.now(),
            )
            self._shadow_control.scored(self._replays.begin(question, "shadow", self._scored))
        return self.view()

    def use(
        self, name: str, mode: str | None, preference: float | None, actor: str
    ) -> ActivePolicyView:
        """What a person has chosen stays, over restarts too; raises as `ActivePolicy.use`."""
        with self._lock:
            self._active_policy.use(name, mode, preference)
            self._turn += 1
            self._nominee = self._active_policy.view().name
            if self._fit is not None and self._fit.nominee != self._nominee:
                self._fit = None  # it tells nothing of what decides now
            self._keep(actor, fit=False)
            if preference is not None:
                known = (self._store.setting(PREFERENCES) or {}).get("projects", {})
                kept = {"cluster": preference, "projects": known}
                self._store.set_settings({PREFERENCES: kept})
        self._cancel()
        return self.view()

    def prefer(
        self, cluster: float | None, projects: Mapping[str, float | None], actor: str
    ) -> Preferences:
        """Change preferences for good; the policy stays. Raises as `ActivePolicy.prefer`."""
        with self._lock:
            preferences = self._active_policy.prefer(cluster, projects)
            known = dict((self._store.setting(PREFERENCES) or {}).get("projects", {}))
            kept = {"cluster": preferences.cluster, "projects": {**known, **projects}}
            self._store.set_settings({PREFERENCES: kept, "preferences_set_by": actor})
        return preferences

    def fit(self, name: str | None, actor: str) -> ActivePolicyView:
        """Replay the policy (None: the last that was wanted) and the rival; the better decides.

        From now on each start does the same, until a person chooses a policy. Returns at once.
        Raises `MissingError` for an unknown policy, `InputError` for the rival itself,
        `StateError` while a replay is under way, `OutageError` without a simulator.
        """
        nominee = self._active_policy.check(name or self._nominee)
        if nominee == self._rival:
            raise InputError(
                f"{nominee} is what others are held against", {"name": "another policy"}
            )
        if self._replays is None:
            raise OutageError(_NO_SIMULATOR)
        with self._lock:
            before, self._nominee = self._nominee, nominee
            try:
                self._begin("asked")
            except FulcrumError:
                self._nominee = before
                raise
            self._keep(actor, fit=True)
        return self.view()

    def _recall(self) -> bool:
        """Whether a person has chosen the policy by name."""
        remembered = dict(self._store.setting(POLICY) or {})
        if not remembered:
            return False
        fit = bool(remembered.pop("fit", False))
        try:
            self._active_policy.restore(**remembered)
        except FulcrumError as error:
            # Its distribution may have been removed: better another policy than no service.
            _log.warning("the remembered policy cannot be used: %s", error)
            return False
        return not fit

    def _recall_preferences(self) -> None:
        remembered = self._store.setting(PREFERENCES)
        if remembered:
            self._active_policy.prefer(remembered["cluster"], remembered["projects"])

    def _scored(self, fit: ReplayEvaluation) -> None:
        _log.info("shadow: %s", fit.sentence())
        with self._lock:
            self._shadow_control.scored(fit)

    def _cancel(self) -> None:
        if self._replays is not None:
            self._replays.stop()

    def _last(self) -> ReplayEvaluation | None:
        remembered = self._store.setting(FIT)
        try:
            return None if remembered is None else ReplayEvaluation.of(remembered)
        except (FulcrumError, TypeError):  # of another version
            return None

    def _keep(self, actor: str, *, fit: bool) -> None:
        remembered = {**self._active_policy.setting(), "fit": fit}
        if fit:
            remembered["name"] = self._nominee
        self._store.set_settings({POLICY: remembered, "policy_set_by": actor})

    def _begin(self, why: str) -> None:
        assert self._replays is not None
        turn = self._turn
        question = self._active_policy.question(
            self._nominee, self._rival, self._pools, self._clock.now() - PAST_S, self._clock.now()
        )
        self._fit = self._replays.begin(question, why, lambda fit: self._ended(fit, turn))

    def _ended(self, fit: ReplayEvaluation, turn: int) -> None:
        level = logging.WARNING if fit.state is ReplayState.FAILED else logging.INFO
        _log.log(level, "fit: %s", fit.sentence())
        with self._lock:
            if turn != self._turn:
                # A person has chosen meanwhile: it is over, and decides nothing.
                self._fit = replace(fit, state=ReplayState.CANCELLED)
                return
            self._fit = fit
            if fit.state is ReplayState.DONE:
                self._store.set_settings({FIT: fit.json()})
                self._serve(fit)

    def _serve(self, fit: ReplayEvaluation) -> None:
        assert fit.ahead is not None
        if fit.ahead == self._active_policy.view().name:
            return
        try:
            self._active_policy.use(fit.ahead, None, None)
        except FulcrumError as error:
            _log.warning("the policy that is ahead cannot be used: %s", error)
