"""Sweeps and arrays from the command line."""

import json
import threading

import pytest

from tests.support.waiting import until

SWEEP = """
kind: command
name: try
work:
  argv: [echo, "{size}"]
  cwd: .
sweep:
  parameters: {size: [1, 2, 3]}
  method: grid
  metric: loss
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    return str(path)


@pytest.fixture
def ending(fulcrum):
    """Trials end by themselves: the second one is the best, the third one fails."""
    world, done = fulcrum.world, threading.Event()

    def work():
        while not done.wait(0.02):
            world.executor.deliver()
            for attempt in list(world.executor.running):
                job = int(attempt.partition(".")[0])
                if world.service.store.job(job).state != "RUNNING":
                    continue
                if job == 3:
                    world.executor.fail(attempt, "exit code 3")
                    continue
                path = world.service.folders.attempt(job, 1) / "metrics.jsonl"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps({"kind": "test", "loss": abs(job - 2) + 0.5}) + "\n")
                world.executor.finish(attempt)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.parametrize("command", [["submit"], ["sweep", "submit"]], ids=" ".join)
def test_a_sweep_is_waited_for_and_its_best_trial_named(fulcrum, file, ending, command):
    found = fulcrum(*command, file, "--wait")
    assert (found.exit_code, found.stdout) == (0, "1\n")
    assert "sweep 1 succeeded: 2 of 3 trials completed, 0 pruned" in found.stderr
    assert fulcrum("sweep", "best", "1").stdout == "2\n"
    page = fulcrum("sweep", "show", "1").stdout
    lines = [line.split() for line in page.splitlines()]
    assert [line[0] for line in lines[1:4]] == ["2", "1", "3"]
    assert "LOSS" in lines[0]
    assert lines[1][:6] == ["2", "2", "2", "0.5", "0/?", "completed"]
    assert "exit code 3" in page
    assert fulcrum.json("sweep", "show", "1")["best_job"] == 2
    assert "2 of 3 trials completed" in fulcrum("sweep", "ls").stdout
    assert [job["id"] for job in fulcrum.json("ls", "--sweep", "1")] == [3, 2, 1]
    assert "sweep" in fulcrum("show", "2").stdout


def test_a_sweep_is_cancelled(fulcrum, file):
    assert fulcrum("submit", file).exit_code == 0
    missing = fulcrum("sweep", "best", "1")
    assert (missing.exit_code, "no trial of sweep 1 has completed" in missing.stderr) == (6, True)
    waited = fulcrum("sweep", "submit", file, "--wait", "--timeout", "0")
    assert (waited.exit_code, "fulcrum sweep cancel 2" in waited.stderr) == (124, True)
    assert "cancelling: cancelled by" in fulcrum("sweep", "cancel", "1").stdout

    def cancelled():
        fulcrum.world.executor.deliver()
        return fulcrum.json("sweep", "show", "1")["state"] == "CANCELLED"

    until(cancelled)
    again = fulcrum("sweep", "cancel", "1")
    assert (again.exit_code, "CANCELLED already" in again.stderr) == (6, True)
    assert fulcrum("sweep", "show", "7").exit_code == 3


def test_a_file_that_is_no_sweep_or_more_than_one_is_refused(fulcrum, file, tmp_path):
    two = tmp_path / "two.yaml"
    two.write_text(json.dumps([{"kind": "command", "sweep": {}}, {"kind": "command"}]))
    assert "stands alone" in fulcrum("submit", str(two)).stderr
    assert "a sweep takes one" in fulcrum("sweep", "submit", str(two)).stderr
    wrong = fulcrum("submit", file, "--set", "sweep.parameters.rate=[1]")
    assert (wrong.exit_code, "{rate} stands nowhere" in wrong.stderr) == (4, True)
    assert fulcrum("submit", file, "--follow").exit_code == 2


def test_a_sweep_is_planned_by_one_trial(fulcrum, file):
    found = fulcrum("plan", file)
    assert (found.exit_code, "of one trial" in found.stderr) == (0, True)
    assert "balanced" in found.stdout


def test_an_array_is_submitted_listed_and_cancelled_together(fulcrum):
    found = fulcrum("run", "--array", "1-5:2", "--", "echo", "{index}")
    assert (found.exit_code, found.stdout.split()) == (0, ["1", "2", "3"])
    jobs = fulcrum.json("ls", "--array", "1")
    assert [job["work"]["argv"][1] for job in jobs] == ["5", "3", "1"]
    assert "index 3" in fulcrum("show", "2").stdout
    assert "3 jobs cancelled" in fulcrum("cancel", "--array", "1", "--yes").stdout
