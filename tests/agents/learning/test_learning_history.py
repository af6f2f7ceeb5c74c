"""Learning from what the cluster itself has run, here or as one of its jobs."""

import json
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.registry.registry import Registry
from agents.serving.artifact import load
from agents.training import from_history
from agents.training.progress import TrainingProgress
from agents.training.workflow import TrainingRequest, TrainingResult
from api.cli.main import app
from api.cli.views.training_progress import copy_artifact
from envs.scenarios import Split
from envs.scenarios.logs import BLOCK
from scheduler import settings
from scheduler.clock import SystemClock
from scheduler.domain.errors import InputError, MissingError
from scheduler.store.sql.store import SqlStore
from scheduler.testing.samples import ended, job_spec, submitted

SMALL = {
    "jobs": 12, "rows": 24, "hidden": 16, "workloads": 2, "demonstrations": 40,
    "imitation_epochs": 1, "envs": 2, "n_steps": 16, "batch_size": 16, "n_epochs": 1,
    "validation_workloads": 1,
    "validation_preferences": 0.5,
}  # fmt: skip
POOLS = """
[pools.cpu]
kind = "cpu"
model = "Test CPU"
devices = 2
dollars_per_device_hour = 1.0
"""


def filled(data, jobs):
    """A data folder in which so many jobs have run within the last hour."""
    data.mkdir()
    store = SqlStore(settings.load(overrides={"data_dir": data}).database)
    begin = SystemClock().now() - 3600
    for number in range(jobs):
        now = begin + 20 * number
        (job,) = submitted(store, job_spec(user=f"user-{number}"), now=now)
        ended(store, job, 0, start=now + 1, end=now + 60 + number % 60)
    store.close()
    return data


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("history") / "data", 120)


def test_the_history_is_split_by_time_and_drawn_in_blocks(history, tmp_path):
    scenario = from_history.scenario(
        settings.load(overrides={"data_dir": history}), tmp_path / "r"
    ).scenario
    assert scenario.objective is not None
    whole = scenario.whole_trace().jobs
    row = {job.user: number for number, job in enumerate(whole)}
    seen = {
        split: {row[job.user] for seed in range(8) for job in drawn(scenario, seed, split)}
        for split in Split
    }
    order = [Split.TRAIN, Split.VALIDATION, Split.TUNING, Split.TEST]
    for earlier, later in pairwise(order):
        assert max(seen[earlier]) < min(seen[later])
    assert len(seen[Split.TRAIN]) > 60

    jobs = drawn(scenario, 0, Split.TRAIN)
    rows = [row[job.user] for job in jobs]
    for begin in range(0, 96, BLOCK):
        block = rows[begin : begin + BLOCK]
        assert sorted(block) == list(range(min(block), min(block) + BLOCK))
    assert rows[:BLOCK] != sorted(rows[:BLOCK])
    np.testing.assert_allclose(np.diff([job.submitted_at for job in jobs]), 20.0, atol=0.1)
    assert jobs == drawn(scenario, 0, Split.TRAIN) != drawn(scenario, 1, Split.TRAIN)


def drawn(scenario, seed, split):
    return scenario.workload(seed, 96, split).jobs


def test_a_short_history_says_how_many_jobs_are_missing(tmp_path):
    configured = settings.load(overrides={"data_dir": filled(tmp_path / "data", 30)})
    with pytest.raises(InputError, match=r"30 jobs .* learning needs 100.* 70 more"):
        from_history.scenario(configured, tmp_path / "run")
    with pytest.raises(MissingError, match="no job history"):
        from_history.scenario(
            settings.load(overrides={"data_dir": tmp_path / "none"}), tmp_path / "run"
        )


@pytest.fixture
def fulcrum(tmp_path, monkeypatch, history):
    (tmp_path / "fulcrum.toml").write_text(POOLS)
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0, data=history):
        done = CliRunner().invoke(app, ["--data", str(data), "policy", "train", *words])
        assert done.exit_code == code, done.output
        return done

    return run


def small():
    return [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


@pytest.mark.slow
def test_training_on_the_history_registers_and_judges(fulcrum, history, tmp_path, monkeypatch):
    metrics, artifacts = tmp_path / "metrics.jsonl", tmp_path / "artifacts"
    for name, value in {"METRICS": metrics, "ARTIFACTS": artifacts, "WIDTH": 1}.items():
        monkeypatch.setenv(f"FULCRUM_{name}", str(value))
    words = ["Our Lab", "--from-history", "--steps", "32", "--workloads", "6", *small(), "--json"]
    answer = json.loads(fulcrum(*words).stdout)

    registry = Registry(history)
    entry = registry.find("our-lab")
    assert answer["policy"] == entry.reference
    assert answer["promoted"] == answer["trial"]["passed"] == entry.promoted
    assert answer["trial"]["split"] == "test"
    assert entry.manifest().config["scenario"] == str(tmp_path / "Our Lab" / "history.toml")
    assert registry.history(entry)[-1].action in ("promoted", "refused")

    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    fractions = [line["fraction"] for line in lines if line["kind"] == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert {"validation", "test"} <= {line["kind"] for line in lines}
    assert load(artifacts / "policy").manifest == entry.manifest()

    # A further attempt of the job finds the training and goes on with it.
    assert json.loads(fulcrum(*words).stdout)["policy"] == entry.reference


@pytest.mark.slow
def test_a_training_that_was_killed_is_registered_and_judged_all_the_same(
    fulcrum, history, monkeypatch
):
    def killed(_, event):
        if event.stage == "learning":
            raise KeyboardInterrupt

    words = ["ours", "--from-history", "--steps", "32", "--workloads", "6", "--name", "lab"]
    with monkeypatch.context() as patch:
        patch.setattr("api.cli.views.training_progress.TrainingBar.tell", killed)
        fulcrum(*words, *small(), code=130)
    again = fulcrum("ours", "--resume", "--from-history", "--since", "7d", code=6)
    assert "on the history since 30d" in said(again)
    answer = json.loads(fulcrum("ours", "--resume", "--json").stdout)
    assert answer["policy"].startswith("learned:lab")
    assert answer["trial"]["workloads"] == 6
    assert Registry(history).history(Registry(history).find("lab"))[-1].action in (
        "promoted", "refused",
    )  # fmt: skip


def test_what_goes_with_what(fulcrum):
    assert "without from_history" in said(fulcrum("r", "--from-history", "-s", "lab", code=2))
    assert "goes with from_history" in said(fulcrum("r", "--since", "7d", code=2))
    assert "goes with --as-job" in said(fulcrum("r", "--wait", code=2))
    assert "not a duration" in said(fulcrum("r", "--from-history", "--since", "soon", code=2))


def said(done):
    return " ".join(done.stderr.replace("│", " ").split())


def test_a_training_as_a_job_is_the_same_command(tmp_path, monkeypatch, fulcrum):
    sent = []
    monkeypatch.setattr(
        "api.cli.commands.policies.train.SubmitOptions.carry_out",
        lambda _, __, body: sent.append(body),
    )
    monkeypatch.setenv("FULCRUM_CONFIG", "fulcrum.toml")
    fulcrum("r", "--from-history", "--since", "7d", "--set", "jobs=12", "--set", "rows=24",
            "--as-job", "--workers", "3", "--name", "ours", "--json",
            data=tmp_path / "d")  # fmt: skip
    (body,) = sent
    assert (body["kind"], body["name"], body["width"]) == ("command", "policy-r", 3)
    work = body["work"]
    assert work["cwd"] == str(tmp_path)
    assert work["env"] == {"FULCRUM_CONFIG": str(tmp_path / "fulcrum.toml")}
    words = work["argv"][work["argv"].index("--data") :]
    assert words[:5] == ["--data", str(tmp_path / "d"), "policy", "train", str(tmp_path / "r")]
    rest = words[5:]
    assert rest[-2:] == ["--name", "ours"]
    assert set(rest) == {
        "--from-history", "--since", "7d", "--set", "jobs=12", "rows=24", "--name", "ours",
    }  # fmt: skip


def test_nothing_is_left_anywhere_outside_of_a_job(tmp_path):
    (tmp_path / "policy").mkdir()
    copy_artifact(tmp_path / "policy")
    assert [each.name for each in tmp_path.rglob("*")] == ["policy"]


def test_a_series_trains_in_new_folders_and_skips_when_nothing_is_new(tmp_path, monkeypatch):
    requests, newest = [], [100.0]

    def result(request, settings, **options):
        requests.append(request)
        return TrainingResult(request.folder / "best", TrainingProgress())

    monkeypatch.setattr("agents.training.workflow.train_and_register", result)
    monkeypatch.setattr("api.cli.commands.policies.series.newest", lambda _: newest[0])
    monkeypatch.setattr("api.cli.commands.policies.train._show", lambda _: None)
    monkeypatch.setattr("api.cli.commands.policies.train.copy_artifact", lambda _: None)
    monkeypatch.setenv("FULCRUM_METRICS", str(tmp_path / "metrics.jsonl"))
    folder = tmp_path / "series"
    folder.mkdir()
    words = ["--data", str(tmp_path / "data"), "policy", "train", str(folder)]
    words += ["--from-history", "--every", "1d"]

    def trained(job):
        monkeypatch.setenv("FULCRUM_JOB", str(job))
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return done.stdout

    trained(7)
    assert requests[0].folder == folder / "job-7"
    assert requests[0].registered_name == "series"
    assert "skipped: no further job has succeeded" in trained(8)
    assert len(requests) == 1
    assert '"kind": "skipped"' in (tmp_path / "metrics.jsonl").read_text()
    newest[0] = 200.0
    trained(9)
    assert requests[1].folder == folder / "job-9"
    monkeypatch.delenv("FULCRUM_METRICS")
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "goes with --as-job" in refused.output


def test_the_words_of_a_series_say_when_it_trains_again(tmp_path):
    request = TrainingRequest(tmp_path, name="ours", from_history=True, every="1d")
    assert request.arguments()[3:] == ["--from-history", "--every", "1d", "--name", "ours"]
