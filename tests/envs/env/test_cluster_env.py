"""The environment: Gymnasium's contract, what is legal, and that nothing is left to chance."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings

from envs import ENV_ID
from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import ENDS, drawn_preference
from envs.scenarios import load
from envs.simulator.simulation import Simulation
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.features.encoder import encode, unflatten
from scheduler.decisions.kernel.queue.features import TOP
from scheduler.decisions.rounds.candidates import Candidates, open_rows
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.entries import WAIT
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import lookup
from scheduler.policies.heuristics import HEURISTICS
from tests.support import golden
from tests.support.played import CPU, GPU, env, episode, episodes, play, whim

COLUMNS = [column.name for column in ROW_COLUMNS]
FITS, REGRET = COLUMNS.index("fits"), COLUMNS.index("regret")


@pytest.mark.parametrize("scenario", ["lab", "mixed-cloud", "random"])
def test_gymnasium_has_nothing_to_complain_about(scenario):
    made = gymnasium.make(f"envs:{ENV_ID}", scenario=scenario, jobs=20, rows=16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)


def test_equal_seeds_are_in_lockstep():
    ours, theirs = env(), env()
    assert play(ours, seed=7) == play(theirs, seed=7)
    assert play(ours) == play(theirs)


def test_another_seed_is_another_episode():
    assert play(env(), seed=7) != play(env(), seed=8)


def test_golden_trace():
    """Action, reward and seconds of each step of one episode under SJF do not change."""
    made = env()
    made.reset(options={"workload": 5})
    trace, over = [], False
    while not over:
        action = made.action_of(HEURISTICS["sjf"])
        _, reward, over, _, info = made.step(action)
        trace.append(f"{action} {reward:.6e} {info['interval']:.6e}")
    golden.check("trace", trace)


def test_a_scenario_may_be_a_value_or_a_function():
    by_value = ClusterEnv(load("lab"), jobs=20, preference=0.3)
    by_name = ClusterEnv("lab", jobs=20, preference=0.3)
    assert play(by_value, seed=1) == play(by_name, seed=1)
    assert play(env(), seed=1)[-1][2]["metrics"]["jobs"] == 40


@pytest.mark.parametrize("mode", Mode)
def test_every_job_ends_and_the_end_is_a_termination(mode):
    made = env(mode)
    steps = play(made, seed=3)
    assert made.simulation.finished == 40
    assert steps[-1][2]["metrics"]["makespan_s"] > 0
    assert not made.action_masks().any()
    with pytest.raises(InputError, match="nothing to decide"):
        made.step(1)


@settings(max_examples=15)
@given(episodes())
def test_never_an_illegal_offer(drawn):
    """Every legal action can be taken, and what is offered is a choice."""
    made = ClusterEnv(lambda _: drawn, rows=8, preference=0.5, illegal="raise")
    observation, _ = made.reset(seed=0)
    over = False
    while not over:
        mask = made.action_masks()
        assert mask.sum() >= 2
        assert made.observation_space.contains(observation)
        assert observation.max() <= TOP
        observation, _, over, _, info = made.step(whim(observation, mask))
    assert info["metrics"]["jobs"] == len(drawn.workload.jobs)
    assert not observation.any()


def test_waiting_follows_the_mode():
    def offered(mode, pools):
        made = env(mode, pools, every=3.0)
        observation, _ = made.reset(seed=1)
        over, waits = False, []
        while not over:
            running = list(made.simulation.world.running())
            ready = bool(np.any((rows(observation, FITS) == 1) & (rows(observation, REGRET) == 0)))
            waits.append((bool(made.action_masks()[WAIT]), bool(running) and not ready, ready))
            observation, _, over, _, _ = made.step(whim(observation, made.action_masks()))
        return waits

    for mode in (Mode.GREEDY, Mode.EASY):
        seen = offered(mode, (CPU, GPU))
        assert all(may == sensible for may, sensible, _ in seen)
        assert {ready for _, _, ready in seen} == {True, False}
    for mode in (Mode.EASY, Mode.COMMIT, Mode.COMMIT_FCFS):
        assert not any(may for may, _, _ in offered(mode, (CPU,)))
    assert not any(may for may, _, _ in offered(Mode.COMMIT_FCFS, (CPU, GPU)))


def rows(observation, name):
    """A column of the rows that are there, WAIT left out."""
    shown, _ = unflatten(observation, 16)
    return shown[1:][shown[1:, 0] > 0.5][:, name]


def test_waiting_may_be_free():
    """Under `free` WAIT is legal whenever something runs, and only then."""
    made = env(Mode.GREEDY, every=3.0, waiting="free")
    observation, _ = made.reset(seed=1)
    over, waits = False, []
    while not over:
        waits.append((bool(made.action_masks()[WAIT]), not made.simulation.world.idle))
        observation, _, over, _, _ = made.step(whim(observation, made.action_masks()))
    assert all(may == runs for may, runs in waits)
    with pytest.raises(InputError) as raised:
        env(waiting="always")
    assert raised.value.fields == {"waiting": "one of beside-best, free"}


@pytest.mark.parametrize("mode", Mode)
def test_an_action_means_the_row_that_was_shown(mode):
    """Whatever else is asked of the table between the observation and the action."""

    def asked(made):
        observation, _ = made.reset(seed=2)
        over = False
        while not over:
            action = whim(observation, made.action_masks())
            world = made.simulation.world
            encode(Candidates(world, open_rows(world)[1:]), 4, 0.9)
            observation, reward, over, _, info = made.step(action)
            yield action, reward, info

    assert list(asked(env(mode))) == play(env(mode), seed=2)


def test_waiting_lets_time_pass():
    made = env(Mode.GREEDY)
    observation, _ = made.reset(seed=1)
    while not made.action_masks()[WAIT]:
        observation, *_ = made.step(whim(observation, made.action_masks()))
    before = made.simulation.now
    *_, info = made.step(WAIT)
    assert made.simulation.now > before
    assert info["interval"] == pytest.approx(made.simulation.now - before)


def test_an_illegal_action_names_the_legal_ones():
    made = env()
    made.reset(seed=1)
    illegal = int(np.flatnonzero(~made.action_masks())[-1])
    with pytest.raises(InputError) as raised:
        made.step(illegal)
    named = set(raised.value.fields["action"].removeprefix("one of ").split(", "))
    assert named == {str(row) for row in np.flatnonzero(made.action_masks())}
    with pytest.raises(InputError, match="action 99"):
        made.step(99)


def test_an_illegal_action_may_stand_for_the_first_row_and_is_counted():
    strict, lenient = env(), env(illegal="first")
    strict.reset(seed=1)
    lenient.reset(seed=1)
    illegal = int(np.flatnonzero(~strict.action_masks())[-1])
    first = int(np.flatnonzero(strict.action_masks()[1:])[0]) + 1
    ours, theirs = strict.step(first), lenient.step(illegal)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert ours[1] == theirs[1]
    assert theirs[4]["illegal"] == 1


def test_preferences_are_drawn_with_both_ends():
    rng = np.random.default_rng(0)
    drawn = np.array([drawn_preference(rng) for _ in range(4000)])
    for end in (0.0, 1.0):
        assert np.mean(drawn == end) == pytest.approx(ENDS / 2, abs=0.02)
    middle = drawn[(drawn > 0) & (drawn < 1)]
    assert np.mean(middle) == pytest.approx(0.5, abs=0.02)


def test_options_fix_the_workload_and_the_preference():
    made = env(preference="random")
    first = play(made, seed=1, options={"workload": 4, "preference": 0.25})
    again = play(made, seed=2, options={"workload": 4, "preference": 0.25})
    assert first == again
    assert made.preference == 0.25
    assert all(job.preference is None for job in episode(4).workload.jobs)
    made.reset(seed=1, options={"workload": 4, "preference": 0.25})
    assert set(made.table.preference[1:]) == {0.25}


@pytest.mark.parametrize("name", ["fcfs", "sjf", "wgc:patience=1000", "best-value"])
def test_a_policy_pulled_through_the_environment_does_what_it_does_when_pushed(name):
    policy = lookup.named(name)
    made = env(rows=128)
    made.reset(options={"workload": 9})
    over = False
    while not over:
        _, _, over, _, info = made.step(made.action_of(policy))
    drawn = episode(9)
    pushed = Simulation(drawn.workload, drawn.spec, drawn.estimator, seed=9).run(policy)
    assert info["metrics"]["mean_jct_s"] == pytest.approx(float(pushed.jct.mean()), rel=1e-12)
    assert info["metrics"]["utilisation"] == pytest.approx(pushed.utilisation, rel=1e-12)
    assert info["metrics"]["fairness"] == pytest.approx(pushed.fairness, rel=1e-12)


def test_wrong_arguments_are_named():
    wrong = [
        ({"rows": 1}, "rows"),
        ({"illegal": "ignore"}, "illegal"),
        ({"render_mode": "human"}, "render_mode"),
        ({"preference": 1.5}, "preference"),
        ({"preference": "fastest"}, "preference"),
        ({"reward": "fun"}, "reward"),
        ({"split": "exam"}, "split"),
    ]
    for arguments, field in wrong:
        with pytest.raises(InputError) as raised:
            ClusterEnv("lab", **arguments)
        assert field in raised.value.fields
    with pytest.raises(MissingError):
        ClusterEnv("nowhere")
    with pytest.raises(InputError, match="options"):
        env().reset(options={"day": 3})
    with pytest.raises(InputError, match="nothing to decide"):
        env(pools=(CPU,), jobs=1).reset(seed=0)
    with pytest.raises(InputError, match="no episode"):
        _ = env().simulation
