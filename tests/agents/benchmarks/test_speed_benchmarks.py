"""What the programs that measure speed print for machines; tiny sizes, no limit on any time."""

import json

import pytest

from benchmarks import decisions, simulation
from tests.support.traces import trace

FIGURES = {
    "simpy_timeouts_per_s",
    "environment_steps_per_s",
    "compiled_wgc_decisions_per_s",
    "compiled_learned_decisions_per_s",
    "replay_lublin_fcfs_jobs_per_s",
    "replay_kth_easy_s",
}
TINY = ["--jobs", "3,10", "--repeats", "5", "--seconds", "0"]


@pytest.fixture
def tiny(monkeypatch):
    """Few steps, repeats and worlds."""
    for name, size in {"REPEATS": 1, "STEPS": 5, "JOBS": 12, "WORLDS": 2}.items():
        monkeypatch.setattr(simulation, name, size)


def test_decisions_are_one_object_by_policy_and_queued_jobs(capsys):
    decisions.main(["--json", "--policies", "sjf,wgc,learned", *TINY])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    for kind, members in [
        ("decision_ms", {"p50", "p99"}),
        ("round_ms", {"p50", "p99", "choices"}),
    ]:
        assert list(found[kind]) == ["sjf", "wgc", "learned"]
        for by_jobs in found[kind].values():
            assert list(by_jobs) == ["3", "10"]
            for figures in by_jobs.values():
                assert figures.keys() == members
                assert 0 < figures["p50"] <= figures["p99"]
    assert printed.err.splitlines()[-1] == "learned, 10 jobs"


def test_figures_go_into_a_file_that_is_named(tmp_path, capsys):
    file = tmp_path / "new" / "decisions.json"
    decisions.main(["--json", str(file), "--policies", "sjf+search", *TINY])
    assert list(json.loads(file.read_text())["decision_ms"]) == ["sjf+search"]
    assert not capsys.readouterr().out


def test_wgc_and_learned_are_measured_with_10_to_10_000_jobs_unless_told_otherwise():
    given = decisions._parser().parse_args([])
    assert {"wgc", "learned"} <= set(given.policies)
    assert list(given.jobs) == [10, 100, 1_000, 10_000]


def test_decisions_have_a_table_for_people(capsys):
    decisions.main(["--policies", "fcfs", *TINY])
    out = capsys.readouterr().out
    assert "One decision (ms" in out
    assert "One whole round (ms" in out


def test_the_queue_keeps_its_length_while_jobs_come_and_go():
    turns = decisions.snapshots(10)
    first = next(turns)
    moments = [first.now]
    for _ in range(3):
        snapshot = next(turns)
        assert snapshot.world.depth == 10
        moments.append(snapshot.now)
    assert moments == [first.now + step for step in range(4)]


def test_simulation_figures_are_one_object_without_traces_null(tiny, tmp_path, capsys):
    simulation.main(["--json", "--traces", str(tmp_path)])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found.keys() == FIGURES
    assert found["replay_lublin_fcfs_jobs_per_s"] is None
    assert found["replay_kth_easy_s"] is None
    assert found["simpy_timeouts_per_s"] > 0
    assert found["environment_steps_per_s"] > 0
    assert "not found, skipped" in printed.err


def test_the_very_large_cluster_is_part_of_the_object_if_asked_for(tiny, tmp_path, capsys):
    simulation.main(["--json", "--traces", str(tmp_path), "--million", "fcfs", "--jobs", "50"])
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == FIGURES | {"million"}
    assert found["million"]["10000"]["fcfs"].keys() == {"seconds", "memory_gib"}


@pytest.mark.slow
def test_replays_give_jobs_per_second_and_seconds(tiny, monkeypatch):
    folder = trace("swf/KTH-SP2.swf.gz").parent
    kth = [each for each in simulation.REPLAYS if each[0] == simulation.KTH_EASY[0]]
    monkeypatch.setattr(simulation, "REPLAYS", kth)
    lines = []
    found = simulation.replays(folder, 1e5, lines.append)
    assert list(found) == [simulation.KTH_EASY]
    jobs_per_s, seconds = found[simulation.KTH_EASY]
    assert jobs_per_s * seconds == pytest.approx(28_481)
    assert len(lines) == len(simulation.CLOCKS)
