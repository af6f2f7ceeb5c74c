"""What no round may ever do, over random worlds, every heuristic and every mode."""

import copy
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.kernel.columns import ROWS_USED, Columns
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import best, run_round
from scheduler.decisions.state.entries import EstimatedPlacement, Waiting
from scheduler.decisions.state.plan import Action, Reservation
from scheduler.decisions.state.world import World
from scheduler.policies.guard import Guard
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import after, earliest, held, moment, snapshots, waiting_of


@dataclass(frozen=True)
class Dice:
    """Any scores at all, WAIT and `never` among them: what an untrained network might say."""

    seed: int
    stable: bool = True
    name: str = "dice"

    def scores(self, table):
        scores = np.random.default_rng(self.seed).normal(size=len(table.world.row_slot))
        scores[scores < -1.5] = -np.inf
        scores[0] -= 1.0
        return scores[table.rows]

    def costs(self, table):
        return table.runtime


class Asked:
    """A policy that has no compiled scorer."""

    def __init__(self, policy, stable):
        self.name, self.stable = policy.name, stable
        self.scores, self.costs = policy.scores, policy.costs


POLICIES = (*HEURISTICS.values(), Dice(1), Dice(2))
EVERY = tuple(product(POLICIES, Mode))


@given(snapshots())
def test_never_oversubscribes_devices_or_memory(snap):
    for policy, mode in EVERY:
        plan = run_round(snap, policy, mode)
        total = held(snap.pools, (*snap.world.running(), *plan.placements))
        for pool, nodes in zip(snap.pools, total, strict=True):
            for devices, memory in nodes:
                assert devices <= pool.devices_per_node
                assert memory <= pool.memory_per_node or not pool.memory_per_node


@given(snapshots())
def test_never_decides_a_job_twice_nor_one_that_does_not_wait(snap):
    waiting = set(snap.world.waiting())
    for policy, mode in EVERY:
        plan = run_round(snap, policy, mode)
        decided = [what.job for what in (*plan.placements, *plan.reservations)]
        assert len(decided) == len(set(decided))
        assert set(decided) <= waiting


@given(snapshots())
def test_never_places_a_job_outside_its_options(snap):
    options = {job.id: job.options for job in waiting_of(snap.world)}
    for policy, mode in EVERY:
        plan = run_round(snap, policy, mode)
        for placed in plan.placements:
            chosen = EstimatedPlacement(
                placed.pool,
                placed.width,
                placed.memory,
                placed.runtime_s,
                placed.dollars,
                placed.joules,
            )
            assert chosen in options[placed.job]
            assert sum(count for _, count in placed.nodes) == placed.width
            assert len({node for node, _ in placed.nodes}) == len(placed.nodes)


@given(snapshots())
def test_without_backfilling_nothing_starts_behind_a_reservation_of_its_pool(snap):
    for policy, mode in product(POLICIES, (Mode.NONE, Mode.COMMIT)):
        plan = run_round(snap, policy, mode, observer(policy, mode))
        closed = set()
        for decision in plan.decisions:
            assert decision.chosen.pool not in closed
            assert decision.action != "backfill"
            if decision.action == "reserve":
                closed.add(decision.chosen.pool)


@given(snapshots())
def test_easy_never_delays_a_reserved_start(snap):
    for policy, mode in product(POLICIES, (Mode.EASY, Mode.COMMIT_EASY)):
        plan = run_round(snap, policy, mode)
        world = after(snap, plan)
        for promise in plan.reservations:
            found = earliest(world, promise.pool, promise.width, promise.memory, snap.now)
            assert found <= promise.start < np.inf


@given(snapshots())
def test_never_reserves_what_no_empty_pool_could_hold_nor_what_fits(snap):
    empty = World(snap.pools)
    for policy, mode in EVERY:
        for promise in run_round(snap, policy, mode).reservations:
            assert mode is not Mode.GREEDY or promise.width > 1
            assert np.isfinite(promise.start)
            assert promise.start >= snap.now
            assert empty.fit(promise.pool, promise.width, promise.memory) is not None


@given(snapshots())
def test_greedy_leaves_nothing_that_fits_but_beside_a_reservation(snap):
    for policy in HEURISTICS.values():
        plan = run_round(snap, policy, Mode.GREEDY)
        world = after(snap, plan)
        decided = {what.job for what in (*plan.placements, *plan.reservations)}
        closed = {promise.pool for promise in plan.reservations}
        for job in waiting_of(snap.world):
            for pool, width, memory, *_ in job.options:
                if job.id not in decided and pool not in closed:
                    assert world.fit(pool, width, memory) is None


@settings(max_examples=12)
@given(snapshots())
def test_a_heuristic_never_waits_by_choice(snap):
    for policy, mode in product(HEURISTICS.values(), Mode):
        plan = run_round(snap, policy, mode, observer(policy, mode))
        assert all(decision.action != "wait" for decision in plan.decisions)


@settings(max_examples=12)
@given(snapshots())
def test_a_round_never_changes_its_snapshot_and_repeats_itself(snap):
    before = replace(snap, world=copy.deepcopy(snap.world))
    for policy, mode in EVERY:
        first = run_round(snap, policy, mode)
        assert run_round(snap, policy, mode) == first
        assert run_round(before, policy, mode) == first
    assert (snap.now, snap.pools) == (before.now, before.pools)
    for field in fields(Columns):
        kept, given = getattr(snap.world, field.name), getattr(before.world, field.name)
        np.testing.assert_array_equal(kept, given)


@settings(max_examples=12)
@given(snapshots())
def test_asking_a_stable_policy_once_is_asking_it_every_time(snap):
    for policy, mode in EVERY:
        if policy.stable:
            always = Asked(policy, stable=False)
            assert run_round(snap, always, mode) == run_round(snap, Asked(policy, True), mode)


@settings(max_examples=12)
@given(snapshots())
def test_pulling_through_a_round_is_pushing(snap):
    for policy, mode in EVERY:
        round_ = Round(snap.world.copy(), snap.now, mode)
        while (table := round_.table()) is not None:
            scores = policy.scores(table)
            row = int(table.rows[best(table, scores, policy) if round_.free else 1])
            if round_.free:
                row = round_.preceding(row)
            foreseen = round_.outcome(row)
            assert round_.take(row) is foreseen
        assert round_.plan(policy.name) == run_round(snap, policy, mode)


@settings(max_examples=12)
@given(snapshots())
def test_a_sticky_promise_is_never_broken_whoever_arrives_meanwhile(snap):
    sticky = [mode for mode in Mode if mode.keeps_promises]
    for policy, mode in product(POLICIES, sticky):
        first = run_round(snap, policy, mode)
        later = next_moment(snap, first)
        plan = run_round(later, policy, mode, observer(policy, mode))
        fates = {what.job: what for what in (*plan.placements, *plan.reservations)}
        for promise in first.reservations:
            fate = fates[promise.job]
            assert (fate.pool, fate.width) == (promise.pool, promise.width)
            if mode is Mode.COMMIT_EASY and isinstance(fate, Reservation):
                assert fate.start <= promise.start
        kept = [decision.job for decision in plan.decisions[: len(first.reservations)]]
        assert kept == [promise.job for promise in first.reservations]


def next_moment(snap, plan):
    """When the next attempts have ended as estimated, and somebody urgent has arrived."""
    running = after(snap, plan).running()
    now = max(snap.now, min((each.end for each in running), default=snap.now))
    started = {placed.job for placed in plan.placements}
    jobs = [
        Waiting(job.id, job.submitted_at, job.options)
        for job in waiting_of(snap.world)
        if job.id not in started
    ]
    for where in range(len(snap.pools)):
        urgent = EstimatedPlacement(where, 1, 0, 0.5, 0.0, 0.0)
        jobs.append(Waiting(2001 + where, now, [urgent], priority=100.0, deadline=now + 1.0))
    still = [each for each in running if each.end > now]
    return moment(snap, jobs, still, now, plan.reservations)


@given(snapshots(), st.sampled_from(list(Mode)))
def test_every_row_a_table_shows_may_be_taken(snap, mode):
    def fresh():
        round_ = Round(snap.world.copy(), snap.now, mode)
        for _ in range(2):
            table = round_.table()
            if table is not None and len(table) > 1:
                round_.take(int(table.rows[1]))
        return round_

    table = fresh().table()
    shown = set() if table is None else set(table.rows.tolist())
    for row in range(1, int(snap.world.count[ROWS_USED])):
        round_ = fresh()
        if row in shown:
            assert round_.take(row) in set(Action) - {Action.WAIT}
        else:
            with pytest.raises(ValueError, match=f"row {row} "):
                round_.take(row)


@settings(max_examples=15)
@given(snapshots())
def test_observing_never_changes_the_plan_and_shows_the_table_before_the_choice(snap):
    for policy, mode in EVERY:
        plan = run_round(snap, policy, mode, observer(policy, mode))
        assert replace(plan, decisions=()) == run_round(snap, policy, mode)
        names = {pool.name: pool for pool in snap.pools}
        for decision in plan.decisions:
            if decision.action in ("start", "backfill"):
                boot = names[decision.chosen.pool].boot_s
                assert decision.chosen.values["start_delay"] == pytest.approx(boot, abs=1e-6)


@given(snapshots())
def test_the_guard_never_lets_a_younger_job_be_decided_before_a_starving_one(snap):
    for mode in (Mode.COMMIT, Mode.EASY):
        guard = Guard(Dice(3), HEURISTICS["fcfs"], starvation_s=10.0)
        plan = run_round(snap, guard, mode, observer(guard, mode))
        born = {job.id: job.submitted_at for job in waiting_of(snap.world)}
        waits = [snap.now - born[decision.job] for decision in plan.decisions if decision.job]
        starving = [wait for wait in waits if wait > 10.0]
        assert waits[: len(starving)] == starving
        assert starving == sorted(starving, reverse=True)
