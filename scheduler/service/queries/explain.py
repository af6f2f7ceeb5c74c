"""Explains why a job is where it is, and what would happen to one that is not submitted yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from scheduler.compilation.interim import INTERIM
from scheduler.decisions.preemption.obstacles import sentence as preempts_nothing
from scheduler.decisions.rounds import explanation
from scheduler.decisions.rounds.explanation import Alternative, Cause
from scheduler.decisions.rounds.forecast import ExpectedStart, forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import obstacles
from scheduler.decisions.rounds.words import PlaceFigures, beside
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.errors import OutageError
from scheduler.domain.jobs import PREFERENCES, Attempt, Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.nodes import LOCAL, NodeState
from scheduler.domain.records import Decision
from scheduler.domain.resources import Request
from scheduler.domain.units import counted, duration, unknown
from scheduler.service.hold_reasons import HoldReasons
from scheduler.service.live.backlog import Estimates
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.sentences import sentence
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.projects.sentences import fair_share, over_quota
from scheduler.service.queries.start_intervals import StartInterval, StartIntervals
from scheduler.service.queries.views import Explanation, Outlook
from scheduler.service.queries.what_if import WhatIfs

PLAIN_DEPTH = 50
"""Waiting jobs of which plain Python makes a forecast in the time of a request."""
TRIAL = 2**62
"""The id of a job that is not submitted."""


@dataclass(frozen=True, slots=True)
class ExplainService:
    """Answers questions from the live jobs; changes nothing."""

    live_jobs: LiveJobs
    active_policy: ActivePolicy
    estimates: Estimates
    intervals: StartIntervals
    nodes: ClusterNodes
    obstacles: Callable[[JobSpec], Mapping[str, str]] = lambda _: {}
    """Pool → why it lacks what a job names."""

    def explain(self, job: Job, decisions: Sequence[Decision], now: float) -> Explanation:
        """The one dominant reason, with evidence."""
        if job.state.final:
            return Explanation(job, "final", job.reason, decisions=decisions)
        with self.live_jobs.lock:
            attempt = self.live_jobs.attempts.get(job.id)
            held = self.live_jobs.held.get(job.id)
            end = self.live_jobs.active.ends.get(job.id, now)
            victims = self.live_jobs.active.victims(job.id)
        if attempt is not None:
            silent = self._troubles(set(attempt.nodes))
            assumed = self.intervals.assumed(attempt)
            return _active(job, attempt, end, decisions, now, silent, assumed=assumed)
        if held is not None:
            return self._held(job, held, decisions)
        snapshot = self.live_jobs.snapshot(now)
        if job.state is not JobState.QUEUED or snapshot.world.slot_of(job.id) is None:
            return Explanation(job, "none", "is taken up in a moment", decisions=decisions)
        policy, mode = self.active_policy.uncounted()
        wait = explanation.wait(snapshot, policy, mode, job.id)
        limited, until = self._over_quota(job, snapshot)
        if limited and wait.cause is not Cause.NONE:
            return Explanation(job, "quota", limited, start=until, decisions=decisions)
        start, between, slow = None, None, too_slow(snapshot)
        if not slow:
            start = forecast(snapshot, policy, mode, until=job.id).get(job.id)
        if wait.cause is not Cause.NONE and start is not None:
            between = _holding(self.intervals.of(snapshot, policy, mode, job.id), start.start)
        rules = self.active_policy.preemption
        against = () if victims else obstacles(snapshot, policy, mode, rules, job.id)
        what_if = WhatIfs(self.live_jobs, policy, mode, snapshot)
        said = [
            *self._too_few(job.spec.request, now),
            *_displacements(job, victims),
            *_why(wait, start, between, job.spec.deadline, now),
            self._fair_share(job, snapshot) if wait.cause is not Cause.NONE else "",
            preempts_nothing(against),
            *self._assumptions(job, wait),
            *self._lacking(job.spec),
            *self._troubles(self._nodes_for(job)),
            f"no start is forecast yet: {INTERIM.sentence()}" if slow else "",
        ]
        return Explanation(
            job=job,
            cause=wait.cause.value,
            text="; ".join(filter(None, said)),
            position=wait.position,
            depth=wait.depth,
            start=start.start if start else None,
            end=start.end if start else None,
            start_low=None if between is None else between.low,
            start_high=None if between is None else between.high,
            pool=start.pool if start else wait.pool,
            width=start.width if start else wait.width,
            dollars=start.dollars if start else None,
            blockers=wait.blockers,
            alternatives=wait.alternatives,
            ahead=wait.ahead,
            what_if=what_if.of(job, wait, start) if wait.cause is not Cause.NONE else (),
            decisions=decisions,
        )

    def plan(self, spec: JobSpec, now: float) -> list[Outlook]:
        """What would happen with each named preference.

        Raises `InfeasibleError`, or `OutageError` if that would take long.
        """
        if too_slow(self.live_jobs.snapshot(now)):
            raise OutageError(f"nothing is forecast yet: {INTERIM.sentence()}")
        sources = {
            (self.live_jobs.pools[found.pool].name, found.width): found.estimate.source
            for found in self.estimates(spec)
        }
        policy, mode = self.active_policy.uncounted()
        outlooks = []
        names = ("fast", "balanced", "cheap")
        for name in names:
            wished = replace(spec, preference=PREFERENCES[name], after=())
            snapshot = self.live_jobs.with_job(TRIAL, wished, now)
            start, between = forecast(snapshot, policy, mode, until=TRIAL).get(TRIAL), None
            if start is None:
                start, runtime_s = _out_of_sight(snapshot, policy, mode)
            else:
                runtime_s = start.end - start.start
            if now < start.start < inf:
                found = self.intervals.of(snapshot, policy, mode, TRIAL, share=1 / len(names))
                between = _holding(found, start.start)
            low_s, high_s = (None, None) if between is None else between.after(now)
            outlooks.append(
                Outlook(
                    preference=name,
                    pool=start.pool,
                    width=start.width,
                    wait_s=start.start - now,
                    wait_low_s=low_s,
                    wait_high_s=high_s,
                    runtime_s=runtime_s,
                    dollars=start.dollars,
                    joules=start.joules,
                    source=sources[start.pool, start.width],
                    meets_deadline=None if spec.deadline is None else start.end <= spec.deadline,
                )
            )
        return outlooks

    def _fair_share(self, job: Job, snapshot: Snapshot) -> str:
        """How the job's project stands among those whose jobs wait."""
        live = self.live_jobs
        if live.projects is None:
            return ""
        with live.lock:
            waiting = [
                each.spec.project for each in live.jobs.values() if each.state is JobState.QUEUED
            ]
            project, now = job.spec.project, snapshot.now
            return fair_share(live.projects, project, waiting, snapshot.world, now)

    def _assumptions(self, job: Job, wait: explanation.Wait) -> list[str]:
        """Which runtimes behind a forecast are unknown: the job's, that of the one in its way."""
        if wait.cause is Cause.NONE:
            return []
        first = wait.blockers[0] if wait.blockers else None
        with self.live_jobs.lock:
            attempt = self.live_jobs.attempts.get(first) if first is not None else None
        said = []
        if attempt is not None and self.intervals.assumed(attempt):
            said.append(f"the runtime of job {first} is {unknown(attempt.estimate.runtime_s)}")
        own = next((one.estimate for one in self.estimates(job.spec)), None)
        if own is not None and own.assumed:
            said.append(f"its own runtime is {unknown(own.runtime_s)}")
        return said

    def _over_quota(self, job: Job, snapshot: Snapshot) -> tuple[str, float | None]:
        """Which hard limit of its project keeps the job from starting, and until when."""
        live, world = self.live_jobs, snapshot.world
        slot = world.slot_of(job.id)
        if live.projects is None or slot is None:
            return "", None
        rows = world.rows_of(slot)
        width = min(world.shape_of(row).width for row in rows)
        dollars = min(float(world.row_dollars[row]) for row in rows)
        with live.lock:
            return over_quota(live.projects, job.spec.project, width, dollars, snapshot.now)

    def _nodes_for(self, job: Job) -> set[str]:
        """The nodes of the pools that the job accepts."""
        inventory, request = self.nodes.inventory, job.spec.request
        return {
            inventory.node(pool.name, number)
            for pool in inventory.present
            if pool.suits(request)
            for number in range(pool.nodes)
        }

    def _lacking(self, spec: JobSpec) -> list[str]:
        """The pools that the job accepts, and whose nodes lack what it names."""
        accepted = {pool.name for pool in self.nodes.inventory.present if pool.suits(spec.request)}
        return [
            f"pool {pool} is out of the question: {why}"
            for pool, why in self.obstacles(spec).items()
            if pool in accepted
        ]

    def _too_few(self, request: Request, now: float) -> Iterator[str]:
        """That no pool has enough devices on nodes that can be used, whatever ends there."""
        pools = self.nodes.inventory.present
        lost = Counter(held.pool for held in self.nodes.held(pools, now))
        left = {
            pool.name: (pool.nodes - lost[at]) * pool.devices_per_node
            for at, pool in enumerate(pools)
            if pool.suits(request) and pool.count >= request.min_width
        }
        if left and max(left.values()) < request.min_width:
            have = ", ".join(f"{name} has {count}" for name, count in left.items())
            needs = counted(request.min_width, "device")
            yield f"it needs {needs} on nodes that can be used: {have}"

    def _troubles(self, names: set[str]) -> list[str]:
        """What is said of those nodes on which no job starts."""
        return [text for name, text in self.troubles().items() if name in names]

    def troubles(self) -> dict[str, str]:
        """Node on which no job starts → what is said of it."""
        away = (NodeState.DRAINING, NodeState.UNREACHABLE, NodeState.DOWN)
        return {
            node.name: sentence(node, self.live_jobs.jobs_on(node.name))
            for node in self.nodes.all()
            if node.state in away or node.drained_by
        }

    def _held(self, job: Job, held: HoldReasons, decisions: Sequence[Decision]) -> Explanation:
        return Explanation(
            job,
            held.cause,
            held.text,
            start=held.until,
            blockers=held.blockers,
            decisions=decisions,
        )


def _active(
    job: Job,
    attempt: Attempt,
    end: float,
    decisions: Sequence[Decision],
    now: float,
    nodes: Sequence[str],
    *,
    assumed: bool,
) -> Explanation:
    """`nodes`: what is said of its nodes; `assumed`: whether nothing is known of its end."""
    place = f"{attempt.pool} × {attempt.width}"
    if attempt.nodes != (LOCAL,):
        place += f" ({', '.join(attempt.nodes)})"
    begun = attempt.started_at
    if job.state is JobState.CANCELLING:
        text = f"is being stopped on {place}: {job.reason}"
    elif job.state is JobState.PREEMPTING:
        text = f"saves its work on {place} and queues again: {job.reason}"
    elif begun is None:
        text = f"is being started on {place}"
    elif assumed:
        text = f"runs on {place} for {duration(now - begun)}; its runtime is "
        text += unknown(attempt.estimate.runtime_s)
    elif end > now:
        text = f"runs on {place} for {duration(now - begun)}, about {duration(end - now)} left"
    else:
        text = f"runs on {place} for {duration(now - begun)}, longer than estimated"
    return Explanation(
        job,
        "active",
        "; ".join((text, *nodes)),
        start=begun,
        end=end,
        pool=attempt.pool,
        width=attempt.width,
        dollars=attempt.estimate.dollars,
        decisions=decisions,
    )


def too_slow(snapshot: Snapshot) -> bool:
    """Whether a forecast would take too long, because decisions are not compiled yet."""
    return INTERIM.lasts and snapshot.world.depth > PLAIN_DEPTH


def _displacements(job: Job, victims: Sequence[int]) -> list[str]:
    """For whom the job gave way, and who gives way to it; empty for most jobs."""
    said = [job.reason] if job.preemptions else []
    return said + [f"job {victim} is being stopped for it" for victim in victims]


def _why(
    wait: explanation.Wait,
    start: ExpectedStart | None,
    between: StartInterval | None,
    deadline: float | None,
    now: float,
) -> list[str]:
    parts = [wait.text]
    if wait.cause is not Cause.NONE and start is not None:
        pause = duration(start.start - now)
        if between is not None:
            pause += f"; with a chance of 80 % in {_range(between.after(now))}"
        parts.append(f"starts about {_clock(start.start)} ({pause})")
        parts += _elsewhere(wait.alternatives, start, now)
    if deadline is not None and start is not None and start.end > deadline:
        parts.append(f"ends {duration(start.end - deadline)} after its deadline by the estimates")
    return parts


def _elsewhere(alternatives: Sequence[Alternative], start: ExpectedStart, now: float) -> list[str]:
    """The quickest other placement that is free now, beside the one that the job waits for."""
    chosen = PlaceFigures(
        start.pool, start.width, start.start - now, start.end - start.start, start.dollars
    )
    free = [other for other in alternatives if other.start_delay_s <= 0]
    if not free:
        return []
    other = min(free, key=lambda found: found.runtime_s)
    place = PlaceFigures(other.pool, other.width, 0.0, other.runtime_s, other.dollars)
    return [f"{place.name} has room now: {beside(place, chosen)}"]


def _out_of_sight(snapshot: Snapshot, policy: Policy, mode: Mode) -> tuple[ExpectedStart, float]:
    """The placement a job would wait for, if its start is not in sight, and its runtime (s)."""
    wait = explanation.wait(snapshot, policy, mode, TRIAL)
    slot = snapshot.world.slot_of(TRIAL)
    rows = snapshot.world.rows_of(slot) if slot is not None else range(0)
    for row in rows:
        shape = snapshot.world.shape_of(row)
        if (snapshot.pools[shape.pool].name, shape.width) == (wait.pool, wait.width):
            expected = ExpectedStart(
                job=TRIAL,
                start=inf,
                end=inf,
                pool=wait.pool,
                width=wait.width,
                dollars=float(snapshot.world.row_dollars[row]),
                joules=float(snapshot.world.row_joules[row]),
            )
            return expected, float(snapshot.world.row_runtime[row])
    raise KeyError(TRIAL)


def _holding(between: StartInterval | None, start: float) -> StartInterval | None:
    """The interval, widened if need be so that it holds the expected start."""
    if between is None:
        return None
    return StartInterval(min(between.low, start), max(between.high, start))


def _range(seconds: tuple[float, float]) -> str:
    low, high = seconds
    if high == inf:
        return f"{duration(low)} or later"
    return duration(low) if low == high else f"{duration(low)} to {duration(high)}"


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M:%S")
