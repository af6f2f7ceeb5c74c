from __future__ import annotations

import json

import pytest

from scheduler.domain.lifecycle import JobState

TRUE = ("run", "--", "true")


def test_run_submits_here_and_prints_only_the_number(fulcrum, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = fulcrum("run", "-p", "70", "-E", "A=b", "--max-duration", "2m", "--", "true", "--x")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    job = fulcrum.json("show", "1")
    given = {"argv": ["true", "--x"], "env": {"A": "b"}, "cwd": str(tmp_path)}
    assert job["work"] == {**given, "resumable": False}
    assert (job["priority"], job["max_duration_s"], job["name"]) == (70, 120.0, "true")


def test_train_and_infer_take_flags(fulcrum):
    train = fulcrum.json(
        *("train", "--name", "net", "--width", "1..2", "--device", "cpu", "--model", "resnet18"),
        *("--epochs", "3", "--lr", "0.01", "--flip", "--rotation", "5", "--max-attempts", "2"),
    )
    assert train["work"]["augmentation"]["flip"] is True
    assert train["work"]["learning_rate"] == 0.01
    assert train["request"] | {"devices": ["cpu"]} == train["request"]
    assert (train["request"]["min_width"], train["request"]["max_width"]) == (1, 2)
    assert train["retry"]["max_attempts"] == 2
    infer = fulcrum.json("infer", str(train["id"]), "--data", "digits:train")
    assert infer["after"] == [train["id"]]
    assert infer["work"]["data"] == "digits:train"


def test_submit_takes_a_file_and_overrides(fulcrum, tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(
        "- {kind: cnn-train, name: a}\n- {kind: cnn-infer, name: b, work: {models: [a]}}\n"
    )
    result = fulcrum("submit", str(file), "--set", "priority=3")
    assert result.stdout == "1\n2\n"
    jobs = fulcrum.json("ls")
    assert [(job["id"], job["name"], job["priority"]) for job in jobs] == [(2, "b", 3), (1, "a", 3)]


def test_the_same_key_makes_no_second_job(fulcrum):
    for _ in range(2):
        assert fulcrum("run", "--key", "k1", "--", "true").stdout == "1\n"
    assert fulcrum("run", "--key", "k1", "--", "false").exit_code == 6


def test_plan_submits_nothing(fulcrum, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("kind: cnn-train\ndeadline: +1h\n")
    outlooks = fulcrum.json("plan", str(file))
    assert [one["preference"] for one in outlooks] == ["fast", "balanced", "cheap"]
    assert "balanced" in fulcrum("plan", str(file)).stdout
    assert fulcrum.json("ls") == []


def test_wait_follows_a_job_to_its_end(fulcrum):
    with fulcrum.ending(1):
        result = fulcrum("run", "--wait", "--", "true")
    assert result.exit_code == 0
    assert result.stdout == "1\n"
    assert "job 1 succeeded" in result.stderr


def test_follow_shows_the_output_and_a_failure_is_exit_1(fulcrum):
    with fulcrum.ending(1, exit_code=3):
        result = fulcrum("run", "--follow", "--", "true")
    assert result.exit_code == 1
    assert result.stdout == "1\none line\nanother\n"
    assert "exit code 3" in result.stderr


def test_waiting_ends_in_time(fulcrum):
    result = fulcrum("run", "--wait", "--timeout", "0", "--", "true")
    assert result.exit_code == 124
    assert "fulcrum cancel 1" in result.stderr


def test_ls_filters_and_shows_live_jobs_first(fulcrum, world):
    world.running(name="busy")
    fulcrum("run", "-n", "second", "--project", "other", "--", "true")
    assert [job["name"] for job in fulcrum.json("ls", "--project", "other")] == ["second"]
    assert [job["name"] for job in fulcrum.json("ls", "--name", "us")] == ["busy"]
    assert fulcrum.json("ls", "--state", "failed") == []
    assert fulcrum.json("ls", "--limit", "1")[0]["name"] == "second"
    table = fulcrum("ls").stdout
    assert table.index("second") < table.index("busy")
    assert fulcrum("ls", "--kind", "nonsense").exit_code == 4


def test_a_narrow_terminal_cuts_no_line_in_two(fulcrum, world):
    world.running(name="a-name-that-is-much-longer-than-a-narrow-terminal-has-room-for")
    lines = fulcrum("ls", COLUMNS="60").stdout.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("width", [80, 100, 120, 150])
def test_ls_fits_the_terminal_with_cost_accuracy_and_progress(fulcrum, world, width):
    number = world.running(name="a-name-that-is-much-longer-than-80-columns-have-room-for")
    folder = world.service.folders.attempt(number, 1)
    folder.mkdir(parents=True, exist_ok=True)
    where = {"epoch": 123, "epochs": 1000, "batch": 1234, "batches": 5678, "best_accuracy": 0.987}
    line = {"kind": "progress", "fraction": 0.999, "time": 1.0, **where}
    (folder / "metrics.jsonl").write_text(json.dumps(line))
    head, row = fulcrum("ls", COLUMNS=str(width)).stdout.splitlines()
    assert len(head) <= width
    assert len(row) <= width
    assert {"COST", "ACC", "RUN"} <= set(head.split())
    for text in ("running", "$", "98.7 %", "99 %"):
        assert text in row
    piped = fulcrum("ls").stdout
    assert "epoch 123/1000, batch 1234/5678" in piped
    assert "epoch 123/1000, batch 1234/5678" in fulcrum("show", str(number)).stdout


def test_show_has_tables_of_classes_and_voters(fulcrum, world):
    model = world.running(kind="cnn-train", work={})
    world.finish(model)
    world.artifact(model, "model.pt")
    number = world.running(kind="cnn-infer", work={"models": [model, model]}, name="vote")
    rates = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3}
    classes = ["cat", "[dog]"]
    result = {
        "metrics": {"accuracy": 0.75, **rates},
        "per_class": {name: {"images": 4, **rates} for name in classes},
        "confusion": {"classes": classes, "rows_are": "truth", "counts": [[3, 1], [0, 4]]},
        "voters": [
            {"model": "resnet18", "source": f"work.models.{at}", "accuracy": 0.7} for at in (0, 1)
        ],
    }
    world.executor.finish(f"{number}.1", result=result)
    world.until(number, JobState.SUCCEEDED)
    shown = fulcrum("show", str(number)).stdout
    for words in (
        "accuracy 75.0 %",
        "[dog] 4 50.0 % 25.0 % 33.3 %",
        "mean 8 50.0 % 25.0 % 33.3 %",
        "cat 3 1",
        "[dog] · 4",
        f"resnet18 job {model} 70.0 %",
        "together 75.0 %",
    ):
        assert words in " ".join(shown.split())
    assert fulcrum.json("show", str(number))["result"] == result


def test_show_events_explain_logs(fulcrum, world):
    number = world.running(name="[bold]odd")
    world.log(number, "hello\nworld\n")
    shown = fulcrum("show", str(number)).stdout
    assert "[bold]odd" in shown
    assert "cpu × 1" in shown
    assert fulcrum.json("events", str(number))[0]["name"] == "submitted"
    assert "placed" in fulcrum("events", str(number)).stdout
    assert f"job {number}" in fulcrum("explain", str(number)).stdout
    assert fulcrum.json("explain", str(number))["cause"] == "active"
    assert fulcrum("logs", str(number)).stdout == "hello\nworld\n"
    assert fulcrum("logs", str(number), "--tail", "1").stdout == "world\n"
    world.finish(number)
    assert fulcrum("logs", "-f", str(number)).stdout == "hello\nworld\n"
    line = fulcrum("logs", str(number), "--tail", "1", "--json").stdout
    assert json.loads(line) == {"line": "world"}


def test_explain_tells_what_a_waiting_job_waits_for(fulcrum, world):
    first = world.running(width=2)
    second = world.submit(width=2)
    explanation = fulcrum.json("explain", str(second))
    assert explanation["cause"] == "devices"
    text = fulcrum("explain", str(second)).stdout
    assert "queue position" in text
    assert f"waits for jobs  {first}" in text


def test_metrics_are_tables_by_kind(fulcrum, world):
    number = world.running()
    path = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    lines = [{"kind": "epoch", "epoch": n, "train_loss": 1 / n} for n in (1, 2)]
    lines += [{"kind": "progress", "fraction": 0.5}, {"kind": "test", "accuracy": 0.9712}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shown = fulcrum("metrics", str(number)).stdout
    assert "0.9712" in shown
    assert "fraction" not in shown
    assert fulcrum.json("metrics", str(number))[0]["lines"] == lines
    world.finish(number)


def test_metrics_have_a_title_above_one_table_for_each_kind(fulcrum, world):
    number = world.running()
    path = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    lines = [{"kind": "epoch", "epoch": n, "loss": 1 / n} for n in (1, 2)]
    lines += [{"kind": "checkpoint", "fraction": 0.5}, {"kind": "test", "accuracy": 0.9712}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for env in ({}, {"COLUMNS": "80"}):
        assert fulcrum("metrics", str(number), **env).stdout.splitlines() == [
            *("Attempt 1, epoch", "epoch  loss", "    1     1", "    2   0.5"),
            *("Attempt 1, test", "accuracy", "  0.9712"),
        ]
    assert "0.5" in fulcrum("metrics", str(number), "--kind", "checkpoint").stdout
    # A kind that may still come is no mistake.
    assert "nothing measured yet" in fulcrum("metrics", str(number), "--kind", "step").stdout
    for option in ((), ("--json",)):
        wrong = fulcrum("metrics", str(number), "--kind", "bogus", *option)
        assert wrong.exit_code == 2
        said = " ".join(wrong.stderr.replace("│", " ").split())
        assert "there are: checkpoint, epoch, progress, step, test" in said
    path.write_text(json.dumps({"kind": "progress", "fraction": 1.0}) + "\n")
    assert fulcrum("metrics", str(number)).stdout == "nothing measured yet\n"
    world.finish(number)


def test_show_tells_the_first_start_and_the_newest(fulcrum, world):
    number = world.running(work={"argv": ["python", "train.py"], "resumable": True})
    assert "again" not in fulcrum("show", str(number)).stdout
    assert (
        "it has reported nothing yet; its runtime is unknown" in fulcrum("show", str(number)).stdout
    )
    fulcrum("preempt", str(number))
    world.until(number, JobState.RUNNING, attempt=2)
    shown = " ".join(fulcrum("show", str(number)).stdout.split())
    assert "(attempt 2)" in shown
    assert "all attempts together" in shown
    assert "unknown, 5 min 00 s assumed" in shown
    world.finish(number)


def test_explain_tells_a_guess_as_a_guess(fulcrum, world):
    first = world.running(width=2)
    second = world.submit(width=2)
    unknown = "runtime is unknown, 5 min 00 s assumed"
    assert f"its {unknown}" in fulcrum.json("explain", str(first))["text"]
    assert f"its own {unknown}" in fulcrum.json("explain", str(second))["text"]
    said = fulcrum.json("explain", str(second))["text"]
    assert f"the runtime of job {first} is unknown, 5 min 00 s assumed" in said
    placed = next(one for one in fulcrum.json("events", str(first)) if one["name"] == "placed")
    assert placed["reason"].endswith(f"its {unknown}")


def test_piped_text_has_no_spaces_at_the_end_and_no_endless_rules(fulcrum, world):
    first = world.running(width=2, name="x" * 150)
    second = world.submit(width=2)
    for args in (["ls"], ["show", str(first)], ["explain", "-v", str(second)], ["cluster"]):
        lines = fulcrum(*args).stdout.splitlines()
        assert all(line == line.rstrip() for line in lines), args
    assert "x" * 150 in fulcrum("ls").stdout


def test_artifacts_are_listed_and_fetched(fulcrum, world, tmp_path):
    number = world.running()
    world.finish(number)
    assert "no files" in fulcrum("artifacts", str(number)).stdout
    world.artifact(number, "model.pt", b"123")
    world.artifact(number, "sub/a b.csv", b"45")
    assert [one["name"] for one in fulcrum.json("artifacts", str(number))] == [
        "model.pt",
        "sub/a b.csv",
    ]
    to = tmp_path / "got"
    assert fulcrum("artifacts", str(number), "--all", "--to", str(to)).exit_code == 0
    assert (to / "model.pt").read_bytes() == b"123"
    assert (to / "sub" / "a b.csv").read_bytes() == b"45"
    assert fulcrum("artifacts", str(number), "../token", "--to", str(to)).exit_code == 4


def test_cancel_and_retry(fulcrum, world):
    first = world.running()
    assert fulcrum("cancel", str(first), "-r", "enough").exit_code == 0
    world.until(first, JobState.CANCELLED)
    assert fulcrum("cancel", str(first)).exit_code == 6
    again = fulcrum.json("retry", str(first))
    assert (again["id"], again["retry_of"]) == (first + 1, first)
    assert fulcrum("retry", str(again["id"])).exit_code == 6


def test_preempt(fulcrum, world):
    number = world.running(work={"argv": ["true"], "resumable": True})
    said = fulcrum("preempt", str(number), "-r", "maintenance")
    assert said.exit_code == 0
    assert "maintenance" in said.stdout
    world.until(number, JobState.RUNNING, attempt=2)
    assert "maintenance" in fulcrum("show", str(number)).stdout
    assert fulcrum("preempt", str(world.running())).exit_code == 6


def test_update(fulcrum, world):
    world.running(width=2)
    waiting = world.submit(width=2, deadline="+1h")
    said = fulcrum.json(
        "update", str(waiting), "-p", "90", "--preference", "fast", "--deadline", "none"
    )
    assert (said["priority"], said["preference"], said["deadline"]) == (90, 1.0, None)
    assert "priority 50 → 90" in fulcrum("events", str(waiting)).stdout
    assert fulcrum.json("update", str(waiting), "--preference", "none")["preference"] is None
    assert fulcrum("update", str(waiting)).exit_code == 2
    assert fulcrum("update", "1", "-p", "90").exit_code == 6


def test_cluster_cost_policy_estimates(fulcrum, world):
    assert "no" in fulcrum("estimates").stdout
    number = world.running(width=2)
    assert "2 of 2" in fulcrum("cluster").stdout
    assert fulcrum.json("cluster")["pools"][0]["busy"] == 2
    world.finish(number)
    assert "total" in fulcrum("cost", "--by", "project", "--since", "2020-01-01").stdout
    assert fulcrum.json("cost")["total"]["jobs"] == 1
    assert fulcrum("policy", "use", "sjf", "--preference", "cheap").exit_code == 0
    active = fulcrum.json("policy", "ls")["active"]
    assert (active["name"], active["preference"]) == ("sjf", 0.0)
    listed = fulcrum("policy", "ls").stdout
    assert "●  sjf" in listed
    assert "in the simulator only (fulcrum compare): conservative, drf, easy++" in listed
    assert fulcrum("policy", "use", "srtf").exit_code == 0
    refused = fulcrum("policy", "use", "drf")
    assert refused.exit_code == 4
    assert "runs in the simulator only" in refused.stderr
    assert fulcrum("policy", "use", "none-such").exit_code == 3
    assert "all" in fulcrum("estimates").stdout


def test_preferences_are_shown_and_changed_while_who_decides_stays(fulcrum, world):
    before = fulcrum.json("policy", "prefer")
    assert before["projects"] == {}
    both = ("--project", "vision=fast", "--project", "nlp=0.25")
    assert fulcrum.json("policy", "prefer", "cheap", *both) == {
        "cluster": 0.0,
        "projects": {"vision": 1.0, "nlp": 0.25},
    }
    said = fulcrum("policy", "prefer", "--project", "vision=none").stdout
    assert "preference 0 " in said
    assert "nlp" in said
    assert "vision" not in said
    assert world.service.policy_control.preferences().projects == {"nlp": 0.25}
    assert world.service.store.setting("policy") is None
    assert "nlp" in fulcrum("policy", "prefer").stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("show", "99"), 3, "99"),
        (("show", "x"), 3, "no job is named 'x'"),
        (("train", "--epochs", "0"), 4, "work.epochs"),
        (("train", "--model", "resnt18"), 4, "resnet18"),
        (("run", "--width", "99", "--", "true"), 4, "width"),
        (("run", "-E", "novalue", "--", "true"), 2, "NAME=VALUE"),
        (("run", "--timeout", "3", "--", "true"), 2, "--wait"),
        (("policy", "prefer", "quick"), 4, "cheap"),
        (("policy", "prefer", "--project", "vision"), 2, "NAME=VALUE"),
        (("policy", "prefer", "--project", "vision=2"), 4, "projects.vision"),
        (("policy", "prefer", "nan"), 4, "cheap"),
        (("policy", "use", "sjf", "--preference", "inf"), 4, "preference"),
        (("policy", "shadow", "sjf", "--off"), 2, "without POLICY"),
        (("submit", "none.yaml"), 2, "none.yaml"),
        (("ls", "--limit", "0"), 2, "--limit"),
    ],
)
def test_exit_codes_and_what_is_said(fulcrum, args, code, said):
    result = fulcrum(*args)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert fulcrum.json("ls") == []


def test_a_wrong_token_is_refused(fulcrum):
    result = fulcrum("ls", FULCRUM_TOKEN="wrong-token-of-some-length")
    assert result.exit_code == 4
    assert "FULCRUM_TOKEN" in result.stderr


def test_nobody_there_is_exit_5(fulcrum):
    result = fulcrum("--url", "http://127.0.0.1:9", "ls")
    assert result.exit_code == 5
    assert "fulcrum serve" in result.stderr


def test_a_url_that_is_none_is_a_usage_error(fulcrum):
    assert fulcrum("--url", "localhost", "ls").exit_code == 2


def test_a_refusal_does_not_keep_other_jobs_from_being_cancelled(fulcrum, world):
    fulcrum("run", "--array", "0-2", "--", "true")
    assert fulcrum("cancel", "2").exit_code == 0
    world.until(2, JobState.CANCELLED)
    done = fulcrum("cancel", "1", "2", "nosuch", "3")
    assert done.exit_code == 6
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["1", "3"]
    assert "job 2 is CANCELLED already" in done.stderr
    assert "nosuch" in done.stderr
