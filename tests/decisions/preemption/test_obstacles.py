"""Why an urgent job preempts nothing, in words, from the rules that decide."""

import pytest
from hypothesis import given, settings

from scheduler.decisions.preemption.obstacles import Obstacle, ObstacleKind, sentence
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import obstacles, run_round
from scheduler.decisions.state.preemption import OFF, PreemptionMode, PreemptionRules
from scheduler.policies import lookup
from tests.support.preemption_worlds import preemptible, rules_, running_job, with_running
from tests.support.worlds import option, pool, waiting

ONE, TWO = pool("gpu", 1), pool("gpu", 2)
PRIORITY = PreemptionRules(PreemptionMode.PRIORITY)
DEADLINE = PreemptionRules(PreemptionMode.DEADLINE)
WGC, SRSF = lookup.named("wgc"), lookup.named("srsf")
NOW = 100.0


def said(jobs, running, rules=PRIORITY, *, pools=ONE, policy=WGC, number=9):
    snap = with_running(pools, jobs, running, NOW)
    return sentence(obstacles(snap, policy, Mode.EASY, rules, number))


def urgent(runtime=50.0, width=1, **figures):
    return waiting(9, option(runtime, width=width), NOW, **figures)


@pytest.mark.parametrize(
    ("victim", "text"),
    [
        ({"can_resume": False}, "job 1 could not resume"),
        ({"preemptions": 3}, "job 1 was preempted 3 × (max_per_job is 3)"),
        ({"stopping": True}, "job 1 is being stopped already"),
        ({"priority": 90.0}, ""),
        ({"at": 50.0}, "job 1 has worked for 50 s (min_runtime_s is 60 s)"),
        (
            {"at": -3000.0},
            "stopping job 1 gains 30 min 00 s and loses 51 min 45 s, weighed by priority",
        ),
    ],
)
def test_each_rule_says_what_it_found(victim, text):
    found = said([urgent(priority=90.0)], [running_job(1, option(1000.0), **victim)])
    assert found == (text and f"preempts nothing: {text}")


def test_too_few_devices_even_so_and_who_is_as_urgent():
    running = [running_job(1, option(1000.0)), running_job(2, option(1000.0), priority=95.0)]
    assert said([urgent(width=2, priority=90.0)], running, pools=TWO) == (
        "preempts nothing: without job 1 there are too few devices all the same; "
        "job 2 has priority 95, this one 90"
    )


def test_a_deadline_that_is_missed_even_so():
    running = [running_job(1, option(1000.0))]
    late = "preempts nothing: without job 1 it would end 10 s after its deadline"
    assert said([urgent(deadline=NOW + 40.0)], running, DEADLINE) == late
    assert said([urgent(deadline=NOW + 60.0)], running, DEADLINE) == ""
    assert said([urgent(deadline=NOW + 2000.0)], running, DEADLINE) == ""


def test_who_preempts_or_may_not_ask_has_no_obstacle():
    running = [running_job(1, option(1000.0), can_resume=False)]
    assert said([urgent(priority=90.0)], running, OFF) == ""
    assert said([urgent(priority=90.0)], running, DEADLINE) == ""
    assert said([urgent()], running) == ""
    assert said([urgent(priority=90.0)], [running_job(1, option(1000.0))]) == ""
    assert said([urgent(priority=90.0)], [], number=8) == ""


def test_a_policy_that_preempts_says_it_too():
    short, running = urgent(10.0), running_job(1, option(1000.0), can_resume=False)
    assert said([short], [running], policy=SRSF) == "preempts nothing: job 1 could not resume"
    poor = running_job(1, option(60.0), at=-3000.0)
    assert "stopping job 1 gains" in said([short], [poor], policy=SRSF)
    assert said([urgent(2000.0)], [running], policy=SRSF) == ""


def test_a_sentence_names_three_and_counts_the_others():
    found = [Obstacle(ObstacleKind.CANNOT_RESUME, (job,)) for job in range(1, 6)]
    assert sentence(found).endswith("job 3 could not resume; 2 more")


@settings(max_examples=50, deadline=None)
@given(preemptible(), rules_())
def test_who_preempts_has_no_obstacle(snap, rules):
    for policy in (WGC, SRSF):
        plan = run_round(snap, policy, rules=rules)
        for preemptor in {each.preemptor for each in plan.preemptions}:
            assert not obstacles(snap, policy, Mode.EASY, rules, preemptor)
