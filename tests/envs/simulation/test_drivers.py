"""Policies of the simulator by name: what is part of a name, and that nothing else knows them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evaluation.invariants import check, logged
from envs.baselines import catalogue
from envs.scenarios import load
from envs.simulator.simulation import Simulation
from envs.workloads.runtime_estimates import Exact
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.node_placement import RULES
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import lookup
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import SIMULATED
from scheduler.policies.preemptive import PREEMPTIVE
from tests.support.simulated import job, pool, simulation, spec, specs, workloads


def test_the_service_knows_which_names_only_the_simulator_has():
    assert sorted(catalogue.DRIVERS) == list(SIMULATED)
    assert not catalogue.DRIVERS.keys() & lookup.names().keys()


@pytest.mark.parametrize("name", SIMULATED)
def test_the_service_says_why_it_refuses_them(name):
    with pytest.raises(InputError, match="runs in the simulator only") as caught:
        lookup.named(name)
    assert "fcfs" in caught.value.fields["policy"]
    assert "in the simulator only" in catalogue.names()[name]


def test_an_unknown_name_lists_both_kinds():
    with pytest.raises(MissingError, match="there is no policy 'sfj'") as caught:
        catalogue.check("sfj")
    for name in (*HEURISTICS, "wgc", *SIMULATED):
        assert name in caught.value.fields["policy"]


def test_any_other_name_means_what_it_means_in_the_service():
    jobs = job(1, 0, 10, 4), job(2, 1, 9), job(3, 2, 3)
    one, other = (simulation(spec(pool("cpu", 4)), *jobs) for _ in range(2))
    assert catalogue.run(one, "sjf").ended.tolist() == other.run(HEURISTICS["sjf"]).ended.tolist()
    scenario = load("mixed-cloud")
    assert catalogue.adapted(scenario, "sjf") == scenario


def test_a_placement_may_be_part_of_the_name():
    scenario = load("mixed-cloud")
    assert scenario.placement == "best-fit"
    assert catalogue.adapted(scenario, "sjf@fgd") == replace(scenario, placement="fgd")
    assert catalogue.adapted(scenario, "easy++@dot-product").estimates.name == "tsafrir"
    catalogue.check("srtf@best-fit")
    for name in ("sjf@tightest", "@fgd", "sfj@fgd"):
        with pytest.raises(MissingError) as caught:
            catalogue.check(name)
        assert "@ and a placement rule: best-fit, dot-product, fgd" in caught.value.fields["policy"]


def test_placement_decides_which_node_is_taken():
    # At 6 the nodes have 2 and 3 of 4 free. The tightest fit for job 4 takes one of the two that
    # most jobs want; where fragmentation counts, jobs 5 and 6 both fit at 7.
    where = spec(pool("cpu", 4, nodes=2), mode=Mode.GREEDY)
    jobs = (
        *(job(1, 0, 5, 2), job(2, 0, 90, 2), job(3, 0, 90, 1)),
        *(job(4, 6, 90, 1), job(5, 7, 90, 2), job(6, 7, 90, 2)),
    )
    tight = simulation(where, *jobs).run(HEURISTICS["fcfs"])
    assert tight.started.tolist() == [0.0, 0.0, 0.0, 6.0, 7.0, 90.0]
    loose = simulation(replace(where, placement="fgd"), *jobs).run(HEURISTICS["fcfs"])
    assert loose.started.tolist() == [0.0, 0.0, 0.0, 6.0, 7.0, 7.0]


def test_preemption_by_name():
    ran = simulation(spec(pool("cpu", 1)), job(1, 0, 10), job(2, 1, 2))
    outcome = catalogue.run(ran, "srtf")
    assert outcome.ended.tolist() == [12.0, 3.0]
    assert outcome.attempts.tolist() == [2, 1]


def test_estimates_and_reservations_are_part_of_the_name():
    scenario = load("mixed-cloud")
    greedy = catalogue.adapted(scenario, "srsf")
    assert (greedy.mode, greedy.estimates) == (scenario.mode, scenario.estimates)
    plus = catalogue.adapted(load("smart-home"), "easy++")
    assert (plus.mode, plus.estimates.name) == (Mode.EASY, "tsafrir")
    plain = catalogue.adapted(load("smart-home"), "easy-sjbf")
    assert (plain.mode, plain.estimates) == (Mode.EASY, load("smart-home").estimates)


@settings(max_examples=40, deadline=None)
@given(
    st.data(),
    st.sampled_from(("fcfs", "wgc", *PREEMPTIVE, *SIMULATED)),
    st.sampled_from(list(RULES)),
)
def test_what_no_cluster_can_do_is_never_done(data, name, placement):
    where = replace(data.draw(specs(Mode.EASY)), placement=placement)
    jobs = data.draw(workloads(where.pools, most=8))
    ran = Simulation(jobs, where, Exact(), seed=1, check=True, record=True)
    outcome = catalogue.run(ran, name)
    check(outcome, logged(ran.held or ()), where.pools, [each.id for each in jobs.jobs])
    assert (outcome.attempts >= 1).all()


def test_the_page_about_policies_names_them():
    page = (Path(__file__).parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")
    section = page.split("\n## In the simulator only\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == list(SIMULATED)
