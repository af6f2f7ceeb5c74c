"""A simulation in compiled code, used as `envs.simulator.Simulation` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from envs.clock.episode import CompiledEpisode
from envs.clock.kernel.columns import (
    ENDED,
    TIME,
    TO_COME_DOLLARS,
    TO_COME_SLOWDOWN,
    TO_COME_WEIGHED_SECONDS,
)
from envs.clock.kernel.learners import look_to_come
from envs.clock.records import held_of, holding_of, reading_of, result_of
from envs.clock.support import preempts, reason_against, require
from envs.clock.trace import Trace
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Reading
from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import HeldDevices
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
from envs.workloads.streams import Seed
from scheduler.decisions.rounds.policy import Policy, mode_of, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.world import World


class CompiledSimulation:
    """One workload on one cluster. Equal arguments and choices give equal results."""

    def __init__(
        self,
        workload: Workload,
        spec: ClusterSpec,
        estimator: RuntimeEstimator | None = None,
        *,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        meters: bool = False,
        record: bool = False,
    ) -> None:
        estimator = estimator or Exact()
        require(workload, reason_against(workload, spec, estimator))
        self.spec = spec
        trace = Trace(
            workload, spec, estimator, seed=seed, restart=restart, meters=meters, record=record
        )
        self.episode = CompiledEpisode(trace)
        self._record, self._mode = record, spec.mode

    def fresh(self) -> CompiledSimulation:
        """The same simulation from its beginning: far cheaper than to make it once more."""
        twin = copy(self)
        twin.episode, twin._mode = CompiledEpisode(self.episode.trace), self.spec.mode
        return twin

    def next(self) -> Round | None:
        """Run until something may be decided; None at the end, as in `Simulation.next`."""
        if not self.episode.advance():
            return None
        return self.episode.begin_round(self._mode)

    def commit(self, plan: Plan) -> None:
        """Carry out what the round decided; the world holds it already."""
        assert plan.now == self.now, "the plan is of another instant"
        self.episode.commit(self._mode)

    def run(self, policy: Policy) -> SimulationResult:
        """Let one policy decide everything, in the mode it was made for if there is one.

        Raises `InputError` for a policy that preempts.
        """
        own = traits(policy)
        require(self.episode.trace.workload, preempts(policy))
        self._mode = mode_of(policy, self.spec.mode)
        if own.scorer is not None:
            while not self.episode.play(own.scorer, self._mode, own.starvation_s):
                # Its scores are not numbers: it may still have scores for a table.
                self.commit(decide(Round.opened(self.episode.world, self._mode), policy))
            return self.outcome()
        while (round_ := self.next()) is not None:
            self.commit(decide(round_, policy))
        return self.outcome()

    @property
    def now(self) -> float:
        """Simulated seconds since the start of the workload."""
        return float(self.episode.figure[TIME])

    @property
    def world(self) -> World:
        """The pools, what runs and what waits."""
        return self.episode.world

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self.episode.world.depth

    @property
    def finished(self) -> int:
        """Jobs that have ended, well or not."""
        return int(self.episode.count[ENDED])

    @property
    def held(self) -> Sequence[HeldDevices] | None:
        """Every attempt that has ended, in order of its end; None unless recorded."""
        return held_of(self.episode) if self._record else None

    def holding(self) -> list[HeldDevices]:
        """Devices of running attempts, from their allocation until now, by job."""
        return holding_of(self.episode)

    def reading(self) -> Reading:
        """The meter's totals until now."""
        return reading_of(self.episode)

    def to_come(self) -> Reading:
        """What running attempts will add, by their estimates; only what objectives use is told."""
        episode = self.episode
        look_to_come(episode.world.handle, episode.handle, episode.trace.handle)
        return Reading(
            slowdown=float(episode.figure[TO_COME_SLOWDOWN]),
            dollars=float(episode.figure[TO_COME_DOLLARS]),
            weighed_seconds=float(episode.figure[TO_COME_WEIGHED_SECONDS]),
        )

    def outcome(self) -> SimulationResult:
        """The record of the counted jobs so far."""
        return result_of(self.episode)
