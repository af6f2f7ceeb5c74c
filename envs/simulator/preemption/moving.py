"""Runs a simulation with a policy that moves jobs (`scheduler.policies.moves`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from envs.simulator.preemption.wake_ups import WakeUps
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.plan import Plan, Reservation
from scheduler.decisions.state.preemption import PreemptionRules, RunningJob
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World


class Movable(Protocol):
    """What a run with such a policy needs of a simulation."""

    world: World

    @property
    def now(self) -> float:
        """Simulated seconds."""

    def advance(self, *, queued: bool = True) -> bool:
        """Run until something may be decided; `queued`: only while jobs wait."""

    def commit(self, plan: Plan) -> None:
        """Carry out a plan."""

    def wake(self, delay_s: float) -> None:
        """Let something be decided later."""

    def running_job(self, number: int) -> RunningJob:
        """A running job as decisions see it."""


def run(simulation: Movable, policy: Policy, mode: Mode, rules: PreemptionRules) -> None:
    """Decide until the simulation ends."""
    wake_ups, committed = WakeUps(simulation.wake), tuple[Reservation, ...]()
    while simulation.advance(queued=False):
        now, world = simulation.now, simulation.world
        numbers = sorted(each.job for each in world.running() if each.job > 0)
        running = tuple(map(simulation.running_job, numbers))
        snapshot = Snapshot(now, world, committed, running_jobs=running)
        plan = run_round(snapshot, policy, mode, rules=rules)
        committed = plan.reservations
        # A simulated stop is instant, and so all starts wait only for the stops.
        starts = (*plan.placements, *plan.deferred)
        simulation.commit(replace(plan, placements=(), deferred=starts))
        wake_ups.ask(now, plan.again_at)
