"""`fulcrum compare`, from its words to its exit code."""

import json

import pytest
from typer.testing import CliRunner

from api.cli.main import app

TINY = """
name = "tiny"
version = 1

[pools.gpu]
kind = "cuda"
model = "NVIDIA T4"
devices = 2

[workload]
jobs = 6

[workload.synthetic]
"""


@pytest.fixture
def fulcrum(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)

    def run(*words, scenario=True):
        chosen = ["-s", str(path)] if scenario else []
        return CliRunner().invoke(app, ["compare", *chosen, "--workers", "1", *words])

    return run


def test_tables_progress_and_files(fulcrum, tmp_path):
    html, table = tmp_path / "out" / "report.html", tmp_path / "runs.csv"
    done = fulcrum("-p", "fcfs,sjf", "--seeds", "2", "--html", str(html), "--csv", str(table))
    assert done.exit_code == 0, done.output
    assert "BSLD mean" in done.stdout
    assert "AGAINST fcfs" in done.stdout
    assert "Pareto front" in done.stdout
    assert "4 of 4" in done.stderr
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert len(table.read_text().splitlines()) == 5


def test_json_and_preferences(fulcrum):
    done = fulcrum("-p", "fcfs", "--seeds", "3,", "--preferences", "cheap,0.5", "--json")
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert content["manifest"]["seeds"] == [3]
    assert content["manifest"]["preferences"] == [0.0, 0.5]


def test_csv_on_stdout(fulcrum):
    done = fulcrum("-p", "fcfs", "--seeds", "4-5", "--csv", "-", "--mode", "greedy")
    assert done.exit_code == 0
    assert [line.split(",")[:4] for line in done.stdout.splitlines()[1:]] == [
        ["tiny", "fcfs", "", "4"],
        ["tiny", "fcfs", "", "5"],
    ]


def test_a_second_time_nothing_runs_again(fulcrum, tmp_path):
    words = ("-p", "fcfs,sjf", "--seeds", "2", "--csv", "-", "--resume", str(tmp_path / "r.jsonl"))
    first, second = fulcrum(*words), fulcrum(*words)
    assert first.stdout == second.stdout
    assert "4 of 4 are there already" in second.stderr


def test_failed_runs_are_told_and_exit_1(fulcrum, monkeypatch):
    def broken(*_):
        raise RuntimeError("no luck")

    monkeypatch.setattr("envs.clock.CompiledSimulation.run", broken)
    done = fulcrum("-p", "fcfs", "--seeds", "2")
    assert done.exit_code == 1
    assert "2 runs failed" in done.stderr
    assert "fcfs on tiny, seed 1: RuntimeError: no luck" in done.stderr
    assert "every run failed" in done.stdout


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("-p", "nobody"), "there is no policy 'nobody'"),
        (("-p", "nobody"), "in the simulator only: conservative, drf, easy++"),
        (("-p", "fcfs", "--baseline", "sjf"), "one of fcfs"),
        (("--seeds", "0"), "different seeds"),
        (("--seeds", "1,1"), "different seeds"),
        (("--seeds", "x"), "different seeds"),
        (("--preferences", "2"), "numbers from 0 to 1"),
        (("--mode", "lazy"), "none of none, easy"),
        (("--split", "exam"), "none of train"),
        (("--starved", "soon"), "not a duration"),
        (("--by", "age"), "none of priority, preference, user"),
        (("--seeds", "2", "--timeline", "5"), "none of the seeds"),
        (("--csv", "-", "--json"), "not both"),
        (("-s", "atlantis"), "unknown scenario 'atlantis'"),
    ],
)
def test_wrong_words_are_usage_errors_that_name_the_legal_ones(fulcrum, words, advice):
    done = fulcrum(*words)
    assert done.exit_code in (2, 3), done.output
    assert advice in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("name", ["hpc-kth", "philly"])
def test_a_scenario_without_its_trace_is_refused_before_anything_runs(fulcrum, name):
    done = fulcrum("-s", name, "-p", "fcfs,sjf", scenario=False)
    assert done.exit_code == 2
    assert f"scenario {name} replays a trace" in done.stderr
    assert "--trace FILE" in done.stderr
    assert "simulating" not in done.stderr


def test_who_waited_is_told_by_priority_unless_asked_otherwise(tmp_path, fulcrum):
    kinds = (
        "[workload.synthetic.training]\npriorities = [[90, 1]]\n"
        "[workload.synthetic.inference]\npriorities = [[10, 1]]\n"
    )
    (tmp_path / "tiny.toml").write_text(TINY + kinds)
    done = fulcrum("-p", "fcfs,sjf", "--seeds", "2")
    assert "BY PRIORITY" in done.stdout
    assert "67–100" in done.stdout
    assert "under fcfs: utilisation" in done.stdout
    assert "BY USER" in fulcrum("-p", "fcfs", "--seeds", "2", "--by", "user").stdout
    alike = fulcrum("-p", "fcfs", "--seeds", "2", "--by", "preference")
    assert "by preference: all jobs are of one class, 34–66" in alike.stdout


def test_policies_of_the_simulator_are_compared_too(fulcrum):
    done = fulcrum("-p", "fcfs,srtf,conservative,easy++", "--seeds", "1", "--csv", "-")
    assert done.exit_code == 0, done.output
    named = [line.split(",")[1] for line in done.stdout.splitlines()[1:]]
    assert named == ["fcfs", "srtf", "conservative", "easy++"]
