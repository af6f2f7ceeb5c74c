"""A learned index: exactly its base without weights, the same compiled and by tables, and fair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.kernel.learned.job_features import (
    CLUSTER_COLUMNS,
    CLUSTER_WIDTH,
    JOB_COLUMNS,
    JOB_WIDTH,
)
from scheduler.decisions.kernel.learned.job_index import size_of
from scheduler.decisions.kernel.queue.orders import FCFS
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.learned_index import LearnedIndex, on, order_of
from scheduler.policies.wgc import Wgc
from tests.decisions.test_scorers import PATIENT, Tabled, history
from tests.policies.test_urgency import twins, urgent_first
from tests.support.worlds import option, pool, snapshot, snapshots, waiting

BASES = (HEURISTICS["saf"], HEURISTICS["f1"], HEURISTICS["wfp3"], Wgc(), Wgc(PATIENT))


def weights(base, hidden=3, seed=None, limit=2.0):
    """Random weights, or none but B."""
    values = np.zeros(size_of(order_of(base), hidden), dtype=np.float32)
    if seed is not None:
        values = np.random.default_rng(seed).normal(size=len(values)).astype(np.float32)
    values[0] = limit
    return values


@settings(max_examples=60)
@given(snapshots(), st.sampled_from(list(Mode)))
def test_without_weights_it_is_its_base(snap, mode):
    for base in BASES:
        plans = history(snap, mode, lambda round_, own=base: decide(round_, own))
        corrected = on(base, weights(base), base.name)
        assert plans == history(snap, mode, lambda round_, own=corrected: decide(round_, own))


@settings(max_examples=60)
@given(snapshots(), st.sampled_from(list(Mode)), st.integers(0, 9))
def test_the_compiled_index_makes_the_plan_of_the_table(snap, mode, seed):
    """The table scores every job, so no job is left out that would have been first."""
    for base in BASES:
        policy = on(base, weights(base, seed=seed))
        compiled = history(snap, mode, lambda round_, own=policy: decide(round_, own))
        own = Tabled(policy)
        assert compiled == history(snap, mode, lambda round_, own=own: decide(round_, own))


@settings(max_examples=60)
@given(twins(), st.sampled_from([Mode.GREEDY, Mode.EASY, Mode.NONE]), st.integers(0, 9))
def test_the_more_urgent_of_two_equal_jobs_never_starts_later(drawn, mode, seed):
    snap, urgent, calm = drawn
    for base in BASES:
        policy = on(base, weights(base, seed=seed, limit=9.0))
        plan = decide(Round(snap.world.copy(), snap.now, mode), policy)
        assert urgent_first(plan, mode, urgent, calm)


def test_a_correction_changes_the_order():
    """A network that likes large jobs lets them go first, but not beyond its limit."""
    jobs = [waiting(1, option(100.0, width=1)), waiting(2, option(100.0, width=2))]
    snap = snapshot(pool(devices=2), jobs)
    liking = weights(HEURISTICS["saf"], hidden=0)
    liking[1 + JOB_COLUMNS.index("area_rank")] = 50.0
    for limit, first in ((2.0, 2), (0.1, 1)):
        liking[0] = limit
        plan = decide(Round(snap.world.copy(), snap.now, Mode.NONE), on(HEURISTICS["saf"], liking))
        assert plan.placements[0].job == first


def test_what_the_network_sees():
    jobs = [
        waiting(1, option(600.0, width=1)),
        waiting(2, option(6000.0, width=2), deadline=50_000.0),
        waiting(3, option(60.0, width=1)),
    ]
    snap = snapshot(pool(devices=2), jobs)
    policy = on(HEURISTICS["saf"], weights(HEURISTICS["saf"]))
    world = snap.world.copy()
    Round(world, snap.now, Mode.EASY)
    bases, found = policy.describe(world, np.array([1, 2, 3]))
    assert found.shape == (3, JOB_WIDTH + CLUSTER_WIDTH)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 5.0
    assert np.argsort(-bases).tolist() == [2, 0, 1]
    seen = dict(zip(JOB_COLUMNS, found[:, :JOB_WIDTH].T, strict=True))
    assert seen["fits"].tolist() == [1.0, 1.0, 1.0]
    assert seen["arrival_rank"].tolist() == [0.0, 1 / 3, 2 / 3]
    assert seen["behind_best"][2] == 0.0
    assert seen["deadline"].tolist()[::2] == [0.0, 0.0]
    assert 0.0 < seen["deadline"][1] < 1.0
    cluster = dict(zip(CLUSTER_COLUMNS, found[0, JOB_WIDTH:], strict=True))
    assert cluster["free"] == cluster["free_8h"] == cluster["fitting"] == 1.0
    assert cluster["running_work"] == 0.0


@pytest.mark.parametrize("base", BASES)
def test_a_choice_is_explained_by_base_and_correction(base):
    jobs = [waiting(at, option(100.0 * at, width=1)) for at in (1, 2)]
    seen = Round(snapshot(pool(devices=2), jobs).world.copy(), 1000.0, Mode.EASY).table()
    policy = on(base, weights(base, seed=1))
    scores = policy.scores(seen)
    terms = policy.reasons(seen, 1, 2)
    assert list(terms) == ["base", "correction"]
    assert sum(terms.values()) == pytest.approx(scores[1] - scores[2])
    assert terms["correction"] != 0.0
    assert policy.reasons(seen, 1, 0) == {}
    assert on(base, weights(base)).reasons(seen, 1, 2)["correction"] == 0.0


@pytest.mark.parametrize("count", [0, 5, size_of(FCFS, 1) - 1])
def test_weights_that_are_no_network_are_refused(count):
    with pytest.raises(InputError, match="no network"):
        LearnedIndex(HEURISTICS["saf"], np.zeros(count, dtype=np.float32))


def test_weights_that_are_no_numbers_are_refused():
    broken = weights(HEURISTICS["saf"])
    broken[3] = np.nan
    with pytest.raises(InputError, match="cannot be used"):
        on(HEURISTICS["saf"], broken)


@pytest.mark.parametrize("name", ["priority", "tetris"])
def test_policies_whose_order_cannot_be_corrected(name):
    with pytest.raises(InputError, match="no index can be learned"):
        on(HEURISTICS[name], weights(HEURISTICS["saf"]))
