"""Turns the plan of a round into changes of jobs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from scheduler.decisions.preemption.sentences import explained
from scheduler.decisions.state.plan import Action, Placement, Plan
from scheduler.decisions.state.preemption import Preemption
from scheduler.domain import transitions
from scheduler.domain.jobs import Attempt, fresh_nonce
from scheduler.domain.lifecycle import JobState
from scheduler.domain.records import Decision
from scheduler.domain.units import unknown
from scheduler.service.dispatch.transaction import Transaction
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.workloads.spec.specs import resumable

FREED = "its devices were freed for it"
"""Why a job starts for which attempts were stopped."""


class PlanChanges:
    """Placements start, preemptions stop attempts, new reservations are written down."""

    def __init__(self, live_jobs: LiveJobs, counters: Counter[str]) -> None:
        self._live_jobs = live_jobs
        self._counters = counters
        self._reserved: dict[int, tuple[str, int]] = {}

    def forget(self, job: int) -> None:
        """The job waits no longer: its next reservation is a new one."""
        self._reserved.pop(job, None)

    def of(self, plan: Plan, now: float) -> Transaction:
        """The changes that carry the plan out, all in one transaction."""
        changes = Transaction(self._live_jobs)
        placements = {placement.job: placement for placement in plan.placements}
        taken: list[Attempt] = []
        for decision in plan.decisions:
            placement = placements.pop(decision.job, None)
            if placement is None:
                self._note_reservation(decision, changes)
            else:
                self._place(placement, decision, taken, changes, now)
        for placement in placements.values():
            self._place(placement, None, taken, changes, now)
        for preemption in plan.preemptions:
            self._preempt(preemption, changes, now)
        return changes

    def _place(
        self,
        placement: Placement,
        decision: Decision | None,
        taken: list[Attempt],
        changes: Transaction,
        now: float,
    ) -> None:
        """Add the attempt, also to `taken`. Without a decision it was decided by a preemption."""
        job = self._live_jobs.jobs.get(placement.job)
        devices = self._live_jobs.free_devices(placement.pool, placement.nodes, taken)
        if job is None or devices is None:
            self._counters["conflicts"] += 1
            return
        pool = self._live_jobs.pools[placement.pool]
        estimate = self._live_jobs.estimate(placement)
        reason = FREED if decision is None else decision.reason
        if estimate.assumed:
            reason += f"; its runtime is {unknown(estimate.runtime_s)}"
        change, attempt = transitions.placed(
            job,
            pool,
            devices,
            estimate,
            now,
            reason,
            fresh_nonce(),
            self._live_jobs.node_names(placement.pool, placement.nodes),
        )
        taken.append(attempt)
        changes.add(change, decision and replace(decision, attempt=attempt.number, reason=reason))

    def _note_reservation(self, decision: Decision, changes: Transaction) -> None:
        if decision.job not in self._live_jobs.jobs:
            return
        place = (decision.chosen.pool, decision.chosen.width)
        if decision.action == Action.RESERVE and self._reserved.get(decision.job) != place:
            self._reserved[decision.job] = place
            changes.note(decision)

    def _preempt(self, preemption: Preemption, changes: Transaction, now: float) -> None:
        """Ask for the stop, unless the job could not go on afterwards, whatever the plan says."""
        job = changes.job(preemption.victim)
        running = job is not None and job.state is JobState.RUNNING
        if job is None or not running or not resumable(job.spec.kind, job.spec.work):
            self._counters["conflicts"] += 1
            return
        data = {
            "by": preemption.preemptor,
            "reason": preemption.reason.value,
            "gained_s": preemption.gained_s,
            "lost_s": preemption.lost_s,
        }
        reason = explained(preemption)
        changes.add(transitions.preempt_requested(job, "scheduler", reason, now, data))
