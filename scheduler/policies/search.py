"""NAME+search: what a policy would choose, unless play-outs show that another job should go first.

At each choice the first jobs of the policy's order are tried: each is played out on the same
sampled futures, in which the policy decides all that follows (a rollout policy: Bertsekas,
Tsitsiklis, Wu, "Rollout algorithms for combinatorial optimization", 1997). The policy's own choice
is replaced only by one that is better by a margin in standard errors. Decisions see estimates; true
runtimes and coming jobs are not known to them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.columns import MODE, NOW, PLACED, SLOTS_USED, TOP_PRICE
from scheduler.decisions.kernel.rules.allowed import COMMIT_FCFS
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, preempts_itself, traits
from scheduler.decisions.rounds.scorer import Scorer
from scheduler.decisions.search.arrivals import ArrivalHistory, RecentArrivals
from scheduler.decisions.search.playouts import Playouts
from scheduler.decisions.search.result import SearchResult
from scheduler.decisions.search.settings import PlayoutObjective, SearchSettings
from scheduler.decisions.state.world import World
from scheduler.domain.errors import InputError

SUFFIX = "+search"
_BACK_S = 600.0
"""Time that goes back by more is another simulation's: what was seen is not its past. In a service
a snapshot that is explained may be some seconds old."""
_PACE_S = 2.5e-6
"""Seconds of a future for each waiting job and round, before one has been measured."""
_EASED = 0.9
"""Factor of that pace whenever no future is begun because of it."""
_RENEWED = 0.125
"""Share of new arrivals with which futures are drawn from all of them again."""


@dataclass(slots=True)
class SearchedPolicy:
    """A policy and its search. It has a memory: threads wait for each other.

    `arrivals`: what futures are drawn from; None: the last arrivals that the policy has seen, at
    least `least` of them: before that the policy decides alone. In another simulation, where time
    has gone back, it forgets them. `limit_s`: seconds that it may try choices out in one round;
    what has been tried by then decides, and then the policy alone. A future that would take longer
    by what earlier ones took is not begun. Without a limit equal simulations get equal choices.
    Raises `InputError` for a policy without a compiled scorer and for one that preempts.
    """

    policy: Policy
    arrivals: ArrivalHistory | None = None
    settings: SearchSettings = field(default_factory=SearchSettings)
    objective: PlayoutObjective | None = None
    """None: `priced_by` the cluster."""
    limit_s: float = np.inf
    least: int = 24
    naming: Policy | None = None
    """The policy whose first jobs are tried; None: the policy that plays out."""
    clock: Callable[[], float] = time.perf_counter
    stable: bool = field(default=False, init=False)
    _scorer: Scorer = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock, repr=False)
    _recent: RecentArrivals = field(init=False, default_factory=RecentArrivals, repr=False)
    _playouts: Playouts | None = field(init=False, default=None, repr=False)
    _unused: int = field(init=False, default=0, repr=False)
    """ArrivalHistory that no future is drawn from yet."""
    _now: float = field(init=False, default=-np.inf, repr=False)
    """Time of the last round."""
    _spent_s: float = field(init=False, default=0.0, repr=False)
    """Seconds of it that were spent."""
    _found: SearchResult | None = field(init=False, default=None, repr=False)
    _pace_s: float = field(init=False, default=_PACE_S, repr=False)
    """Seconds of the last futures, by waiting jobs and rounds."""

    def __post_init__(self) -> None:
        scorer = traits(self.policy).scorer
        if scorer is None:
            raise InputError(
                f"policy {self.policy.name!r} cannot be searched: it has no compiled scorer",
                {"policy": f"a textbook order, wgc or a learned policy before {SUFFIX}"},
            )
        if preempts_itself(self.policy):
            raise InputError(
                f"policy {self.policy.name!r} cannot be searched: play-outs stop nothing",
                {"policy": f"one that does not preempt before {SUFFIX}"},
            )
        self._scorer = scorer

    @property
    def name(self) -> str:
        """The inner policy's, and what is added."""
        return self.policy.name + SUFFIX

    @property
    def mode(self) -> Mode | None:
        """The inner policy's."""
        return traits(self.policy).mode

    @property
    def heeds_urgency(self) -> bool:
        """The inner policy's."""
        return traits(self.policy).heeds_urgency

    @property
    def criteria(self) -> Sequence[Criterion]:
        """The inner policy's."""
        return traits(self.policy).criteria

    def scores(self, table: Candidates) -> Floats:
        """(n,) The inner policy's scores; above them the row that the search has chosen."""
        with self._lock:
            found = self._found = self.search(table.world)
        scores = np.array(self.policy.scores(table), dtype=np.float64)
        if found is not None and found.best:
            top = float(scores.max(initial=0.0, where=np.isfinite(scores)))
            scores[np.searchsorted(table.rows, found.row)] = np.nextafter(top, np.inf)
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The inner policy's costs."""
        return self.policy.costs(table)

    def comment(self, table: Candidates, chosen: int) -> str:
        """What was tried for the last choice, and what it saves."""
        found = self._found
        if found is None or (found.now, found.job) != (table.now, int(table.job[chosen])):
            return ""
        return found.text()

    def search(self, world: World) -> SearchResult | None:
        """Try candidates for the choice that a round in `world` is at; None: nothing to try."""
        begun, now = self.clock(), float(world.figure[NOW])
        if now < self._now - _BACK_S:
            self._recent, self._playouts, self._unused = RecentArrivals(), None, 0
        if now != self._now:
            self._now, self._spent_s = now, 0.0
        playouts = self._prepared(world)
        if playouts is None:
            return None
        lately = self._recent.lately(now)
        if world.state[MODE] == COMMIT_FCFS:
            lately = None  # it starts jobs that no table shows
        if self.limit_s == np.inf:
            return playouts.search(world, _draws(world), lately=lately)
        end, found = begun + self.limit_s - self._spent_s, None
        work = world.depth * min(world.depth, self.settings.rounds)
        future_s = self._pace_s * work
        begun_playing = self.clock()
        if begun_playing + future_s >= end:
            self._pace_s = max(_PACE_S, _EASED * self._pace_s)  # one slow future is no proof
        else:
            found = playouts.search(
                world, _draws(world), lambda: self.clock() + future_s < end, lately
            )
        ended = self.clock()
        if found is not None:
            self._pace_s = (ended - begun_playing) / (found.values.shape[1] * max(1, work))
        self._spent_s += ended - begun
        return found

    def _prepared(self, world: World) -> Playouts | None:
        """The play-outs with what is known of arrivals; None while too little is."""
        drawn = self.arrivals
        self._unused += self._recent.see(world)
        if drawn is None and self._unused >= max(1.0, _RENEWED * len(self._recent)):
            if len(self._recent) < self.least:
                return None
            self._unused, self._playouts = 0, None
            drawn = self._recent.arrivals()
        if self._playouts is None and drawn is not None:
            objective = self.objective or priced_by(world)
            naming = None if self.naming is None else traits(self.naming).scorer
            self._playouts = Playouts(self._scorer, drawn, self.settings, objective, naming)
        return self._playouts


def limited(policy: Policy, limit_s: float) -> Policy:
    """The policy; one that searches may take so many seconds for it in a round."""
    return replace(policy, limit_s=limit_s) if isinstance(policy, SearchedPolicy) else policy


def priced_by(world: World) -> PlayoutObjective:
    """Weighted seconds against dollars, at each job's own preference.

    A dollar counts as the seconds that it buys of one device of the most expensive pool.
    """
    highest = float(world.figure[TOP_PRICE])
    return PlayoutObjective(dollars=3600.0 / highest if highest > 0.0 else 0.0)


def _draws(world: World) -> np.random.Generator:
    """The same random numbers for the same choice."""
    count = world.count
    now = int(world.figure[NOW] * 1000.0) & 0xFFFFFFFFFFFF
    return np.random.default_rng((now, int(count[SLOTS_USED]), int(count[PLACED])))
