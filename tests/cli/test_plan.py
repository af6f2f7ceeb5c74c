"""Plans of what is on the command line, and deadlines that cannot be met."""

from __future__ import annotations

from pathlib import Path

from scheduler.store.base import JobQuery
from tests.cli.conftest import Fulcrum

PIPELINE = """
- {kind: cnn-train, name: net, work: {epochs: 1}}
- {kind: cnn-infer, name: vote, work: {models: [net]}}
"""


def submitted(fulcrum: Fulcrum) -> int:
    return len(fulcrum.world.service.store.jobs(JobQuery()))


def test_plan_shows_what_fulcrum_plan_shows_and_submits_nothing(
    fulcrum: Fulcrum, tmp_path: Path
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("{kind: cnn-train, work: {epochs: 3}}")
    shown = fulcrum.json("plan", str(file))
    assert [one["preference"] for one in shown] == ["fast", "balanced", "cheap"]
    alike = [
        fulcrum.json("train", "-e", "3", "--plan"),
        fulcrum.json("submit", str(file), "--plan"),
    ]
    for one in alike:
        assert [each["runtime_s"] for each in one] == [each["runtime_s"] for each in shown]
    assert "PREFERENCE" in fulcrum("run", "--plan", "--", "true").stdout
    assert submitted(fulcrum) == 0


def test_the_jobs_of_a_file_are_planned_one_by_one(fulcrum: Fulcrum, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(PIPELINE)
    shown = fulcrum("submit", str(file), "--plan").stdout
    assert "net" in shown
    assert "vote" in shown
    assert len(fulcrum.json("plan", str(file))) == 2
    file.write_text(PIPELINE.replace("epochs: 1}", "epochs: 1}, width: 64"))
    refused = fulcrum("plan", str(file))
    assert refused.exit_code == 4
    assert "jobs.0.width" in refused.stderr
    assert submitted(fulcrum) == 0


def test_a_deadline_that_cannot_be_met_warns_with_the_earliest_end(fulcrum: Fulcrum) -> None:
    late = fulcrum("train", "-m", "resnet18", "-e", "90000", "--deadline", "+1s")
    assert late.exit_code == 0
    assert "job 1: its deadline cannot be met: the earliest expected end is 2" in late.stderr
    assert late.stdout == "1\n"
    early = fulcrum("run", "--deadline", "+900d", "--", "true")
    assert early.stderr == ""
    job = fulcrum.json("train", "-m", "resnet18", "-e", "90000", "--deadline", "+1s")
    assert len(job["warnings"]) == 1


def test_a_deadline_counts_what_it_waits_for(fulcrum: Fulcrum, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(
        "- {kind: command, name: quick, after: [long], deadline: +20s, work: {argv: ['true']}}\n"
        "- {kind: cnn-train, name: long, work: {model: resnet18, epochs: 90000}}\n"
    )
    first, second = fulcrum.json("submit", str(file))
    assert "cannot be met" in first["warnings"][0]
    assert second["warnings"] == []
    job = fulcrum.json("train", "-e", "1", "--after", "long", "--deadline", "+20s")
    assert "cannot be met" in job["warnings"][0]


def test_of_a_sweep_one_trial_is_planned_and_of_an_array_one_index(
    fulcrum: Fulcrum, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "{kind: cnn-train, work: {epochs: 3}, "
        "sweep: {parameters: {learning_rate: [0.1, 0.01]}, trials: 2}}"
    )
    for words in (["plan", str(file)], ["submit", str(file), "--plan"]):
        planned = fulcrum(*words)
        assert planned.exit_code == 0, planned.output
        assert "of one trial" in planned.stderr
    planned = fulcrum("run", "--plan", "--array", "0-9%2", "--", "true")
    assert planned.exit_code == 0, planned.output
    assert "of one index" in planned.stderr
    assert submitted(fulcrum) == 0
