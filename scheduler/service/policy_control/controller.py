"""Which policy decides: as the settings, a person, or replays on this cluster say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scheduler.clock import Clock
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import (
    FulcrumError,
    InputError,
    MissingError,
    OutageError,
    StateError,
)
from scheduler.domain.jobs import JobSpec
from scheduler.domain.pools import Pool
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.crash_marks import CrashMarks
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
"""The setting that keeps the policy that a person has chosen."""
EVALUATION = "policy_fit"
"""The setting that keeps the last replay evaluation."""
PREFERENCES = "preferences"
"""The setting that keeps the preferences that a person has set."""
_NO_SIMULATOR = "this service has no simulator to replay jobs with"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolicyAccess:
    """What a change of policies and preferences needs of the service."""

    refresh: Callable[[], None]
    """Called before the policy is shown."""
    permit: Callable[[str], None]
    """Called before a change with what is changed; raises `StateError` if another service leads."""
    changed: Callable[[Callable[[JobSpec], bool]], None]
    """Called after a change with the waiting jobs that it concerns."""


class PolicyController:
    """Changes the active policy, and stores why. Thread-safe."""

    def __init__(
        self,
        active_policy: ActivePolicy,
        store: Store,
        clock: Clock,
        pools: Callable[[], Sequence[Pool]],
        *,
        baseline: str,
        replay: Replay | None = None,
        replay_at_start: bool = True,
        shadow: str | None = None,
        shadow_log: Path,
        crashes: CrashMarks | None = None,
        access: PolicyAccess,
    ) -> None:
        """`baseline`: the policy that candidates are compared with in replays.

        `shadow`: the one of the settings, until a person names another or none. `crashes`: policies
        that are refused for their crashes until a person names them; None: none is.
        """
        self._active_policy = active_policy
        self._store = store
        self._clock = clock
        self._now_pools = pools
        self._baseline = baseline
        self._replay = replay
        self._replay_at_start = replay_at_start
        self._replays = None if replay is None else ReplayRunner(replay, clock)
        self._lock = threading.Lock()
        self._turn = 0
        """Number of choices by persons: a replay begun before the last one changes nothing."""
        self._candidate = active_policy.view().name
        self._evaluation: ReplayEvaluation | None = None
        self._pinned = False
        """Whether a person has chosen the policy by name."""
        self._pools_seen = ""
        """Digest of the pools at the last look."""
        self._shadow_control = ShadowControl(store, clock, shadow_log, candidate=shadow)
        self._crashes = crashes
        self._access = access

    def start(self) -> None:
        """Continue as the store says; replay if the policy of the settings must be."""
        why = self.recall()
        self._shadow_control.recall(self._active_policy.guarded)
        if why is not None:
            with self._lock:
                self._begin(why)

    def recall(self) -> str | None:
        """Decide as the store says; returns why a replay has to follow, or None if none has to.

        A service that follows calls it whenever its leader has stored another choice.
        """
        self._pinned = self._recall()
        self._recall_preferences()
        self._candidate = self._active_policy.view().name
        last = self._last()
        if last is not None and last.nominee != self._candidate:
            last = None  # it says nothing about the present candidate
        self._evaluation = last
        if self._pinned or not self._replay_at_start or self._replay is None:
            return None
        if not self._now_pools():
            return None  # see `look_at_pools`
        if not self._replay.concerns(self._candidate):
            return None
        here = digest(tuple(self._now_pools()))
        if last is not None and last.pools == here and last.ahead is not None:
            self._serve(last)
        return "pools" if last is not None and last.pools != here else "start"

    def look_at_pools(self) -> None:
        """Replay again if the cluster has had other pools for as long as between two calls."""
        with self._lock:
            here = digest(tuple(self._now_pools()))
            settled, self._pools_seen = here == self._pools_seen, here
            last = self._evaluation
            if not settled or not self._now_pools() or self._pinned:
                return
            if last is not None and (last.pools == here or last.state is ReplayState.RUNNING):
                return
            if self._replay_at_start and self._replay and self._replay.concerns(self._candidate):
                self._begin("start" if last is None else "pools")

    def stop(self) -> None:
        """Cancel a replay under way, and end the shadow."""
        self._cancel()
        self._shadow_control.stop()

    def wait(self, timeout_s: float) -> bool:
        """Wait until no replay is under way; False: one still is after `timeout_s`."""
        return self._replays is None or self._replays.wait(timeout_s)

    def view(self) -> ActivePolicyView:
        """The policy that decides now; beside a leader, without what only the leader counts."""
        self._access.refresh()
        return replace(
            self._active_policy.view(),
            nominee=self._candidate,
            fit=self._evaluation,
            shadow=self._shadow_control.view(),
        )

    def watch(self, snapshot: Snapshot, mode: Mode, placed: Sequence[Placement]) -> None:
        """Show the shadow what was decided; returns at once."""
        self._shadow_control.offer(snapshot, mode, placed)

    def preferences(self) -> Preferences:
        """The preferences of the cluster and the projects."""
        self._access.refresh()
        return self._active_policy.preferences()

    def follow(self, name: str | None, *, actor: str) -> ActivePolicyView:
        """Make the policy the shadow (None: no shadow), over restarts too.

        If it is the shadow already, its counts begin again at 0. Raises `MissingError`,
        `InputError`, or `StateError` if another service leads, and then changes nothing.
        """
        self._access.permit("the shadow is changed")
        guard = None if name is None else self._active_policy.guarded(name)
        with self._lock:
            scored = self._shadow_control.scoring
            self._shadow_control.follow(guard, name, actor)
        if scored:
            self._cancel()
        return self.view()

    def score(self) -> ActivePolicyView:
        """Replay the shadow and the active policy on the jobs since the shadow began.

        With fewer than `Question.least_jobs` of them that ended well, on synthetic ones. The
        active policy stays. Raises `MissingError` without a shadow, `StateError` while a replay
        is under way, if the shadow is the active policy or if another service leads,
        `OutageError` without a simulator.
        """
        self._access.permit("the shadow is scored")
        with self._lock:
            shadow = self._shadow_control.view()
            if shadow is None:
                raise MissingError("there is no shadow", {"shadow": "name one first"})
            if shadow.name == self._active_policy.view().name:
                raise StateError(
                    f"{shadow.name} is the active policy",
                    {"shadow": "one that does not decide"},
                )
            if self._replays is None:
                raise OutageError(_NO_SIMULATOR)
            question = self._active_policy.question(
                shadow.name,
                self._active_policy.view().name,
                tuple(self._now_pools()),
                shadow.since,
                self._clock.now(),
            )
            self._shadow_control.scored(self._replays.begin(question, "shadow", self._scored))
        return self.view()

    def use(
        self,
        name: str,
        *,
        mode: str | None = None,
        preference: float | None = None,
        actor: str,
    ) -> ActivePolicyView:
        """Use the policy that a person chose, over restarts too.

        Raises as `ActivePolicy.use`, and `StateError` if another service leads.
        """
        self._access.permit("policies are changed")
        if self._crashes is not None:
            self._crashes.readmit(name)
        with self._lock:
            self._active_policy.use(name, mode, preference)
            self._pinned = True
            self._turn += 1
            self._candidate = self._active_policy.view().name
            if self._evaluation is not None and self._evaluation.nominee != self._candidate:
                self._evaluation = None  # it says nothing about the active policy
            self._keep(actor, replayed=False)
            if preference is not None:
                known = (self._store.setting(PREFERENCES) or {}).get("projects", {})
                kept = {"cluster": preference, "projects": known}
                self._store.set_settings({PREFERENCES: kept})
        self._cancel()
        view = self.view()
        self._access.changed(lambda spec: spec.preference is None)
        return view

    def prefer(
        self,
        cluster: float | None = None,
        projects: Mapping[str, float | None] | None = None,
        *,
        actor: str,
    ) -> Preferences:
        """Change preferences, for waiting jobs too, over restarts too.

        None for a project: it takes the cluster's. Raises `InputError`, and `StateError` if
        another service leads.
        """
        self._access.permit("preferences are changed")
        chosen = projects or {}
        with self._lock:
            preferences = self._active_policy.prefer(cluster, chosen)
            known = dict((self._store.setting(PREFERENCES) or {}).get("projects", {}))
            kept = {"cluster": preferences.cluster, "projects": {**known, **chosen}}
            self._store.set_settings({PREFERENCES: kept, "preferences_set_by": actor})
        self._access.changed(
            lambda spec: spec.preference is None and (cluster is not None or spec.project in chosen)
        )
        return preferences

    def evaluate(self, name: str | None = None, *, actor: str) -> ActivePolicyView:
        """Replay the candidate (None: the present one) and the baseline; the better decides.

        From now on each start does the same, until a person chooses a policy. Returns at once.
        Raises `MissingError` for an unknown policy, `InputError` for the baseline itself,
        `StateError` while a replay is under way or if another service leads, `OutageError`
        without a simulator.
        """
        self._access.permit("replays are begun")
        candidate = self._active_policy.check(name or self._candidate)
        if candidate == self._baseline:
            raise InputError(f"{candidate} is the baseline of replays", {"name": "another policy"})
        if self._replays is None:
            raise OutageError(_NO_SIMULATOR)
        with self._lock:
            before, self._candidate = self._candidate, candidate
            try:
                self._begin("asked")
            except FulcrumError:
                self._candidate = before
                raise
            self._keep(actor, replayed=True)
        return self.view()

    def _recall(self) -> bool:
        """Restore the stored policy; returns whether a person has chosen it by name."""
        remembered = dict(self._store.setting(POLICY) or {})
        if not remembered:
            return False
        replayed = bool(remembered.pop("fit", False))
        try:
            self._active_policy.restore(**remembered)
        except FulcrumError as error:
            # Its distribution may have been removed: better another policy than no service.
            _log.warning("the policy that was chosen cannot be used: %s", error)
            return False
        return not replayed

    def _recall_preferences(self) -> None:
        remembered = self._store.setting(PREFERENCES)
        if remembered:
            self._active_policy.prefer(remembered["cluster"], remembered["projects"])

    def _scored(self, evaluation: ReplayEvaluation) -> None:
        _log.info("shadow: %s", evaluation.sentence())
        with self._lock:
            self._shadow_control.scored(evaluation)

    def _cancel(self) -> None:
        if self._replays is not None:
            self._replays.stop()

    def _last(self) -> ReplayEvaluation | None:
        remembered = self._store.setting(EVALUATION)
        try:
            return None if remembered is None else ReplayEvaluation.of(remembered)
        except (FulcrumError, TypeError):  # of another version
            return None

    def _keep(self, actor: str, *, replayed: bool) -> None:
        remembered = {**self._active_policy.setting(), "fit": replayed}
        if replayed:
            remembered["name"] = self._candidate
        self._store.set_settings({POLICY: remembered, "policy_set_by": actor})

    def _begin(self, why: str) -> None:
        assert self._replays is not None
        turn, now = self._turn, self._clock.now()
        question = self._active_policy.question(
            self._candidate, self._baseline, tuple(self._now_pools()), now - PAST_S, now
        )
        self._evaluation = self._replays.begin(
            question, why, lambda ended: self._ended(ended, turn)
        )

    def _ended(self, ended: ReplayEvaluation, turn: int) -> None:
        level = logging.WARNING if ended.state is ReplayState.FAILED else logging.INFO
        _log.log(level, "fit: %s", ended.sentence())
        with self._lock:
            if turn != self._turn:
                # A person has chosen a policy meanwhile, so this replay decides nothing.
                self._evaluation = replace(ended, state=ReplayState.CANCELLED)
                return
            self._evaluation = ended
            if ended.state is ReplayState.DONE:
                self._store.set_settings({EVALUATION: ended.json()})
                self._serve(ended)

    def _serve(self, evaluation: ReplayEvaluation) -> None:
        assert evaluation.ahead is not None
        if evaluation.ahead == self._active_policy.view().name:
            return
        try:
            self._active_policy.use(evaluation.ahead, None, None)
        except FulcrumError as error:
            _log.warning("the policy that is ahead cannot be used: %s", error)
