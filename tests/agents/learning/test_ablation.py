"""What a column did for a choice: exact for a linear network, and what is left is told."""

import numpy as np
import pytest

from agents.serving.attribution import INTERACTIONS, ablate
from agents.serving.learned_policy import LearnedPolicy
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.features.encoder import Encoding, unflatten
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.run import run_round
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named
from tests.support.learning_world import broken_weights, linear_weights, observations
from tests.support.worlds import option, pool, snapshot, waiting

ROWS, SHOWN = 8, 5
NAMES = [column.name for column in ROW_COLUMNS]


def encoding(seed=0):
    values = observations(1, SHOWN, ROWS, seed)[0][0]
    return Encoding(values, np.arange(SHOWN))


def test_linear_scores_are_explained_exactly():
    network = linear_weights()
    seen = encoding()
    terms = ablate(network.scores, seen, ROWS, chosen=2, rival=3)
    rows = unflatten(seen.values, ROWS)[0][1:SHOWN]
    expected = network.values[:-1] * (rows[1] - np.median(rows, axis=0))
    for name, term in zip(NAMES, expected, strict=True):
        assert terms.get(name, 0.0) == pytest.approx(term, abs=1e-4)
    assert terms[INTERACTIONS] == pytest.approx(0.0, abs=1e-4)


def test_terms_sum_up_to_the_difference_to_the_median_row():
    def score(values):
        rows = unflatten(values, ROWS)[0]
        return np.prod(rows[..., 5:8], axis=-1) + rows.mean(axis=(-1, -2))[..., None]

    seen = encoding(3)
    terms = ablate(score, seen, ROWS, chosen=1, rival=4)
    plain = seen.values.copy()
    rows = unflatten(plain, ROWS)[0]
    rows[1] = np.median(rows[1:SHOWN], axis=0)
    before, after = score(seen.values), score(plain)
    assert sum(terms.values()) == pytest.approx((before[1] - before[4]) - (after[1] - after[4]))
    assert abs(terms[INTERACTIONS]) > 1e-3
    effects = [abs(term) for name, term in terms.items() if name != INTERACTIONS]
    assert effects == sorted(effects, reverse=True)


def test_the_network_is_asked_once():
    asked = []
    network = linear_weights()

    def counted(values):
        asked.append(values.shape)
        return network.scores(values)

    ablate(counted, encoding(), ROWS, chosen=1, rival=2)
    assert len(asked) == 1


def test_waiting_has_no_columns():
    assert ablate(linear_weights().scores, encoding(), ROWS, chosen=0, rival=2) == {}


def world():
    jobs = [waiting(job, [option(10.0 * job, 1), option(6.0 * job, 2)], 0.0) for job in (1, 2, 3)]
    return snapshot(pool(devices=4), jobs, now=50.0)


def test_decisions_of_a_learned_policy_carry_their_terms():
    policy = Guard(LearnedPolicy(linear_weights(5), ROWS), named("wgc"))
    plan = run_round(world(), policy, Mode.EASY, observer(policy, Mode.EASY))
    first = plan.decisions[0]
    assert set(first.chosen.terms) - {INTERACTIONS} <= set(NAMES)
    assert INTERACTIONS in first.chosen.terms
    assert "decided by" in first.reason
    assert not any(f" {name} " in first.reason for name in NAMES if "_" in name)
    assert not first.rivals[0].terms


def test_no_reasons_are_made_up_for_what_the_guard_decided(caplog):
    for policy in (
        Guard(LearnedPolicy(broken_weights(), ROWS), named("wgc")),
        Guard(LearnedPolicy(linear_weights(), ROWS), named("wgc"), starvation_s=10.0),
        Guard(named("sjf"), named("wgc")),
    ):
        plan = run_round(world(), policy, Mode.EASY, observer(policy, Mode.EASY))
        assert plan.decisions
        assert not any(decision.chosen.terms for decision in plan.decisions)


def test_reasons_that_fail_do_not_cost_the_decision(caplog):
    class Mute(LearnedPolicy):
        def reasons(self, table, chosen, rival):
            raise RuntimeError("no words")

    policy = Guard(Mute(linear_weights(), ROWS), named("wgc"))
    plan = run_round(world(), policy, Mode.EASY, observer(policy, Mode.EASY))
    assert plan.placements
    assert "no words" in caplog.text
