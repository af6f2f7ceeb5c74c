"""Copies of a simulation that go on by themselves, with the same jobs to come or with others."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.placement_logs.cells import frozen
from envs.clock.episode import CompiledEpisode
from envs.clock.kernel.columns import TIME
from envs.clock.records import result_of
from envs.clock.trace import Trace
from envs.simulator.cluster_spec import ClusterSpec
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.policies.lookup import named

SJF, WGC = named("sjf").scorer, named("wgc").scorer
MODE = Mode.EASY


def drawn(seed, jobs=60):
    scenario = frozen("mixed-cloud").draw(seed, "test")
    workload = frozen("mixed-cloud").workload(seed, jobs, "test")
    hurried = tuple(
        replace(job, submitted_at=job.submitted_at / 4, deadline=None) for job in workload.jobs
    )
    return ClusterSpec.of(scenario), replace(workload, jobs=hurried), scenario.estimates


def episode_of(spec, workload, estimates):
    return CompiledEpisode(Trace(workload, spec, estimates.make(3), meters=True))


def at_round(episode, rounds):
    for _ in range(rounds):
        assert episode.advance()
        episode.begin_round(MODE).play(SJF)
        episode.commit(MODE)
    return episode


def outcomes(episode):
    result = result_of(episode)
    return [np.nan_to_num(getattr(result, name)).tolist() for name in ("started", "ended", "pool")]


def test_a_copy_ends_as_the_original_would():
    episode = at_round(episode_of(*drawn(1)), 25)
    twin = episode.copy()
    assert twin.play_out(SJF, MODE)
    assert episode.play(SJF, MODE)
    assert outcomes(twin) == outcomes(episode)


def test_a_copy_leaves_the_original_as_it_is():
    episode = at_round(episode_of(*drawn(1)), 25)
    before = episode.copy()
    episode.copy().play_out(WGC, MODE)
    for each in (before, episode):
        each.play_out(SJF, MODE)
    assert outcomes(before) == outcomes(episode)


def test_other_jobs_come_as_if_they_always_had():
    spec, workload, estimates = drawn(1)
    episode = at_round(episode_of(spec, workload, estimates), 25)
    now = float(episode.figure[TIME])
    arrived = sum(job.submitted_at <= now for job in workload.jobs)
    _, other, _ = drawn(2)
    coming = [
        replace(job, id=1 + arrived + at, submitted_at=now + 1 + 7.5 * at)
        for at, job in enumerate(other.jobs[:20])
    ]
    changed = replace(workload, jobs=(*workload.jobs[:arrived], *coming))
    trace = Trace(changed, spec, estimates.make(3), meters=True)
    twin = episode.copy(trace)
    assert twin.play_out(SJF, MODE)
    whole = CompiledEpisode(trace)
    assert whole.play(SJF, MODE)
    assert outcomes(twin) == outcomes(whole)


def test_a_choice_of_the_caller_is_played_out_and_the_horizon_stops_it():
    episode = at_round(episode_of(*drawn(1)), 25)
    assert episode.advance()
    round_ = episode.begin_round(MODE)
    table = round_.table()
    episode_at_end = episode.copy()
    assert episode_at_end.play_out(SJF, MODE)
    ends = []
    start = float(episode.figure[TIME])
    for row in table.rows[table.fits][1:3].tolist():
        twin = episode.copy()
        Round.opened(twin.world, MODE).take(row)
        assert twin.play_out(SJF, MODE, start + 500.0)
        assert start + 500.0 <= twin.figure[TIME] < np.nanmax(outcomes(episode_at_end)[1])
        assert twin.play_out(SJF, MODE)
        ends.append(outcomes(twin))
    assert ends[0] != ends[1], "the two choices lead to other schedules"
    assert all(np.isfinite(end).all() for found in ends for end in found)


def test_a_trace_with_another_past_is_refused():
    episode = at_round(episode_of(*drawn(1)), 25)
    spec, workload, estimates = drawn(2)
    with pytest.raises(ValueError, match="does not go on"):
        episode.copy(Trace(workload, spec, estimates.make(3)))
