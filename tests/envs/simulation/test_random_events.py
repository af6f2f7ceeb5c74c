"""Random events depend only on the seed and on the attempt or node, and are well distributed."""

import numpy as np
import pytest

from envs.simulator.random_events import RandomEvents


def test_equal_questions_have_equal_answers():
    asked = [(job, attempt) for job in range(1, 30) for attempt in (1, 2)]
    first, second = RandomEvents(3), RandomEvents(3)
    there = [first.failure(*who, 0.5) for who in asked]
    back = [second.failure(*who, 0.5) for who in reversed(asked)]
    assert there == back[::-1]
    assert there != [RandomEvents(4).failure(*who, 0.5) for who in asked]


def test_values_do_not_depend_on_the_machine():
    assert RandomEvents(7).failure(17, 2, 1.0) == pytest.approx(0.8844059796085078, abs=0)
    assert RandomEvents(7).revocation(1, 2, 3, 0.5) == pytest.approx(21737.578786825856, rel=1e-12)


def test_places_in_a_tree_of_seeds_differ():
    root = np.random.SeedSequence(5)
    lives = {RandomEvents(seed).breakdown(0, 0, 1, 1.0) for seed in (5, *root.spawn(3))}
    assert len(lives) == 4


def test_failures_are_uniform_and_as_frequent_as_they_should_be():
    events = RandomEvents(1)
    shares = [events.failure(job, 1, 0.3) for job in range(20_000)]
    failed = np.array([share for share in shares if share is not None])
    assert len(failed) / len(shares) == pytest.approx(0.3, abs=0.01)
    assert failed.mean() == pytest.approx(0.5, abs=0.01)
    assert failed.std() == pytest.approx(12**-0.5, abs=0.01)
    assert 0.0 <= failed.min() <= failed.max() < 1.0


def test_lives_are_exponential_and_independent_of_one_another():
    events = RandomEvents(1)
    lives = np.array([events.revocation(0, node, 1, 2.0) for node in range(20_000)])
    assert lives.mean() == pytest.approx(1800.0, rel=0.03)
    assert np.median(lives) == pytest.approx(1800.0 * np.log(2), rel=0.03)
    other = np.array([events.breakdown(0, node, 1, 2.0) for node in range(20_000)])
    assert abs(np.corrcoef(lives, other)[0, 1]) < 0.03
    assert events.revocation(0, 0, 1, 0.0) == np.inf
