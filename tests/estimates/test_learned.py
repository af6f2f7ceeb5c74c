"""Runtimes learned from ended jobs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.jobs import JobKind, JobSpec, Profile
from scheduler.estimates.learned import (
    INTERVALS,
    LEAST_ENDED,
    LEVELS,
    MEDIAN,
    MEMORY,
    QUANTILES,
    GroupQuantiles,
    JobFacts,
    facts_of,
)
from scheduler.estimates.learned.argv_shape import shape_of


def command(*argv, user="ann", limit=None):
    return JobSpec(
        JobKind.COMMAND, {"argv": argv}, Profile("command:x", 1.0), user=user, max_duration_s=limit
    )


def median(model, spec):
    return model.predict(facts_of(spec).groups()).median


def test_commands_that_differ_in_numbers_share_a_history():
    model = GroupQuantiles()
    for seed in range(10):
        train = command("python", "train.py", "--lr", f"0.{seed + 1}", "--seed", str(seed))
        model.end(facts_of(train).groups(), math.log(600))
        model.end(facts_of(command("python", "lint.py", str(seed))).groups(), math.log(3))
    unseen = command("python", "train.py", "--lr", "3e-4", "--seed", "99")
    assert median(model, unseen) == pytest.approx(600, rel=0.01)
    assert median(model, command("python", "lint.py", "7")) == pytest.approx(3, rel=0.01)
    # Nothing like it was seen: the answer lies between all that was, and the interval says so.
    other = model.predict(facts_of(command("make", user="bob")).groups())
    low, high = INTERVALS[0.95]
    assert other.logs[low] < math.log(4)
    assert other.logs[high] > math.log(500)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["train.py", "--lr", "0.1", "--seed", "3"], ["train.py", "--lr", "2e-4", "--seed", "41"]),
        (["train.py", "--lr=-0.5"], ["train.py", "--lr=1"]),
        (["run", "out/exp_17.pt"], ["run", "out/exp_2.pt"]),
        (["run", "--id", "deadbeef01"], ["run", "--id", "0123456789abcdef"]),
        (["run", "[1,2.5]"], ["run", "[3,4]"]),
    ],
)
def test_numbers_do_not_change_a_shape(one, other):
    assert shape_of(one) == shape_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["train.py", "--model", "resnet18"], ["train.py", "--model", "resnet50"]),
        (["train.py", "--amp"], ["train.py"]),
        (["train.py", "a", "b"], ["train.py", "a b"]),
        (["train.py", "10m"], ["train.py", "10h"]),
    ],
)
def test_words_change_a_shape(one, other):
    assert shape_of(one) != shape_of(other)
    assert shape_of(one, "/home/ann") != shape_of(one, "/home/bob")


def test_nothing_is_predicted_before_some_jobs_have_ended():
    model, groups = GroupQuantiles(), facts_of(command("make")).groups()
    for _ in range(LEAST_ENDED - 1):
        model.end(groups, 1.0)
    assert model.predict(groups) is None
    model.end(groups, 1.0)
    assert model.predict(groups).logs == pytest.approx([1.0] * len(QUANTILES))


def test_intervals_hold_what_they_promise():
    generator = np.random.default_rng(3)
    model, inside, count = GroupQuantiles(), dict.fromkeys(INTERVALS, 0), 3000
    for at in range(2 * count):
        user = int(generator.integers(20))
        facts = JobFacts(f"user {user}", "p", f"kind {user % 5}", 1)
        length = generator.normal(4 + user % 7, 0.3 + 0.2 * (user % 3))
        foreseen = model.predict(facts.groups())
        if at >= count:
            for level, (low, high) in INTERVALS.items():
                inside[level] += foreseen.logs[low] <= length <= foreseen.logs[high]
        model.end(facts.groups(), length, foreseen)
    for level in INTERVALS:
        assert inside[level] / count == pytest.approx(level, abs=0.03)


def test_a_group_follows_a_change():
    model, groups = GroupQuantiles(), facts_of(command("make")).groups()
    for length in [1.0] * 2 * MEMORY + [5.0] * 32:
        model.end(groups, length)
    assert model.predict(groups).logs[MEDIAN] == pytest.approx(5.0, abs=0.3)


lengths = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 15)), min_size=1, max_size=60)


@given(lengths)
def test_quantiles_ascend_within_what_was_seen(ends):
    model = GroupQuantiles()
    for user, length in ends:
        model.end(JobFacts(str(user), "p", "k", 1).groups(), length)
    found = model.predict(JobFacts("0", "p", "k", 1).groups())
    if found is None:
        assert len(ends) < LEAST_ENDED
        return
    assert (np.diff(found.logs) >= 0).all()
    seen = [length for _, length in ends]
    assert min(seen) - 1e-9 <= found.raw[0]
    assert found.raw[-1] <= max(seen) + 1e-9


@given(lengths, st.integers(LEVELS, 20))
def test_memory_is_bounded(ends, most):
    model = GroupQuantiles(most_groups=most)
    for user, length in ends:
        model.end(JobFacts(str(user), str(user), str(user), user).groups(), length)
        assert len(model._index) <= most
    groups = JobFacts("0", "0", "0", 0).groups()
    assert model.predict(groups) is None or np.isfinite(model.predict(groups).logs).all()


def test_facts_are_those_known_at_submission():
    spec = command("make", limit=60.0)
    facts = facts_of(replace(spec, project="web"))
    assert (facts.user, facts.project, facts.width, facts.requested_s) == ("ann", "web", 1, 60.0)
    assert len(facts.groups()) == LEVELS
