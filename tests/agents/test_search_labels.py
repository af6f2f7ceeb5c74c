"""Labels by search: what is kept of each choice, and that labelling changes nothing."""

import numpy as np
import pytest

from agents.training.search_labels import SearchLabels, labelled
from scheduler.decisions.features.encoder import size
from scheduler.policies.lookup import named
from tests.policies.test_search import SPEC, mixed, run, searched


def simulations(count):
    from envs.clock import CompiledSimulation

    return [CompiledSimulation(mixed(seed, 60), SPEC) for seed in range(count)]


@pytest.fixture(scope="module")
def labels():
    return labelled(simulations(2), named("sjf"), searched("fcfs"), rows=16)


def test_each_choice_has_its_own_row_and_others_beside_it(labels):
    count = len(labels.own)
    assert count > 20
    assert labels.observations.shape == (count, size(16))
    own = labels.gains[np.arange(count), labels.own]
    assert (own == 0.0).all()
    assert (np.isfinite(labels.gains).sum(axis=1) >= 2).all()
    assert (np.isfinite(labels.errors) == np.isfinite(labels.gains)).all()


def test_a_bad_first_choice_shows_gains(labels):
    assert np.nanmax(labels.gains) > 100.0
    limited = labels.advantages(3.0)
    assert np.nanmax(np.abs(limited)) <= 3.0
    assert (np.isnan(limited) == np.isnan(labels.gains)).all()


def test_the_player_plays_as_if_alone():
    (simulation,) = simulations(1)
    labelled([simulation], named("sjf"), searched("fcfs"), rows=16)
    alone = run(named("sjf"), mixed(0, 60))
    assert simulation.outcome().ended.tolist() == alone.ended.tolist()


def test_a_share_of_the_choices(labels):
    some = labelled(simulations(2), named("sjf"), searched("fcfs"), rows=16, share=0.3)
    assert 0 < len(some.own) < 0.6 * len(labels.own)


def test_parts_are_joined_and_kept_in_a_file(labels, tmp_path):
    both = SearchLabels.of([labels, labels])
    assert len(both.own) == 2 * len(labels.own)
    both.save(tmp_path / "labels.npz")
    read = SearchLabels.load(tmp_path / "labels.npz")
    assert np.array_equal(read.gains, both.gains, equal_nan=True)


def test_without_choices_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="no choice to label"):
        labelled([], named("sjf"), searched("fcfs"))
