"""Nothing leaks: what has not happened yet changes nothing that is seen or decided."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import Episode
from envs.workloads.base import Workload
from scheduler.decisions.rounds.candidates import COLUMNS
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import best
from scheduler.policies import lookup
from tests.support.played import Believed, arrivals, episode, whim

POLICIES = [lookup.named(name) for name in lookup.names()]


def seen(drawn, until):
    """Everything that can be seen at every decision up to an instant, and the simulation."""
    made = ClusterEnv(lambda _: drawn, rows=12, preference=0.5, illegal="raise")
    observation, _ = made.reset(seed=0)
    trace, over = [], False
    while not over and made.simulation.now <= until:
        table, mask = made.table, made.action_masks()
        columns = {name: getattr(table, name).tobytes() for name in COLUMNS}
        chosen = [best(table, policy.scores(table), policy) for policy in POLICIES]
        trace.append((table.now, observation.tobytes(), mask.tobytes(), columns, chosen))
        observation, _, over, _, _ = made.step(whim(observation, mask))
    return trace, made.simulation


def scrambled(workload, outcome, instant, seed):
    """Other true runtimes for all that has not ended, and other arrivals from then on."""
    rng = np.random.default_rng(seed)
    jobs = []
    for job, started, ended in zip(workload.jobs, outcome.started, outcome.ended, strict=True):
        if job.submitted_at > instant:
            break
        if ended <= instant:
            jobs.append(job)
            continue
        # It has run until the instant in any case; all else is open.
        least = max(0.0, instant - started) if started <= instant else 0.0
        runs = tuple(
            replace(run, runtime_s=least + 1e-3 + float(rng.exponential(200.0))) for run in job.runs
        )
        jobs.append(replace(job, runs=runs))
    later = (
        replace(job, id=1000 + job.id, submitted_at=instant + 1e-3 + job.submitted_at)
        for job in arrivals(seed, int(rng.integers(0, 10))).jobs
    )
    return Workload("scrambled", (*jobs, *later))


@settings(max_examples=15)
@given(
    st.integers(0, 1000), st.sampled_from(list(Mode)), st.sampled_from([5.0, 20.0]), st.floats(0, 1)
)
def test_neither_true_runtimes_nor_the_future_are_seen(seed, mode, every, share):
    drawn = replace(episode(seed, mode, every=every, jobs=25), estimator=Believed())
    trace, simulation = seen(drawn, np.inf)
    instant = trace[int(share * (len(trace) - 1))][0]
    workload = scrambled(drawn.workload, simulation.outcome(), instant, seed + 1)
    other = Episode(workload, drawn.spec, Believed(), drawn.scales, drawn.seed)
    again, _ = seen(other, instant)
    assert again == [entry for entry in trace if entry[0] <= instant]
