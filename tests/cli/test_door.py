"""What is typed and cannot be is told in a sentence; many jobs stay handy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.support.output import print_error
from api.client.job import standing
from scheduler.domain.errors import InputError
from scheduler.files import expanded


def test_ls_shows_a_page_and_tells_how_many_more(fulcrum, monkeypatch):
    monkeypatch.setattr("api.cli.commands.jobs.job_list.SHOWN", 4)
    world = fulcrum.world
    running = [world.running(name=f"busy-{index}") for index in range(2)]
    for _ in range(7):
        world.submit(name="waits")
    monkeypatch.setattr("api.cli.commands.jobs.job_list.RECENT", 1)
    lines = fulcrum("ls").stdout.splitlines()
    assert len(lines) == 1 + 4 + 1
    assert {f"busy-{index}" for index in range(2)} <= set(" ".join(lines).split())
    assert lines[-1] == "… 5 more: --limit N, or --all"
    queued = fulcrum("ls", "--state", "queued").stdout.splitlines()
    assert (len(queued), queued[-1]) == (6, "… 3 more: --limit N, or --all")
    assert len(fulcrum.json("ls")) == 9
    assert fulcrum("ls", "--all").stdout.count("waits") == 7
    assert "more" not in fulcrum("ls", "--limit", "4").stdout
    for number in running:
        world.finish(number)
    fulcrum("cancel", "--all", "--yes")
    # All have ended: a page shows the latest, and counts the others.
    *rows, last = fulcrum("ls").stdout.splitlines()[1:]
    assert last == f"… {9 - len(rows)} more: --limit N, or --all"
    assert len(rows) < 9


def test_many_are_cancelled_by_one_command(fulcrum):
    world = fulcrum.world
    for _ in range(2):
        world.running()
    waiting = [world.submit(name="sweep") for _ in range(3)]
    assert fulcrum("cancel").exit_code == 2
    assert fulcrum("cancel", "1", "--all").exit_code == 2
    refused = fulcrum("cancel", "--name", "sweep")
    assert (refused.exit_code, "3 jobs" in refused.stderr) == (2, True)
    assert fulcrum.json("cancel", "--name", "sweep", "--yes")["jobs"] == waiting[::-1]
    assert fulcrum("cancel", "--all", "--yes").stdout == "2 jobs cancelled\n"


def test_retry_prints_the_number_alone_to_a_pipe(fulcrum):
    number = fulcrum.world.running()
    fulcrum.world.finish(number)
    assert fulcrum("retry", str(number)).stdout == f"{number + 1}\n"


def test_plain_seconds_are_a_duration(fulcrum):
    assert fulcrum("run", "--max-duration", "90", "--", "true").stdout == "1\n"
    assert fulcrum.json("show", "1")["max_duration_s"] == 90.0


def test_an_argument_that_is_no_utf8_is_refused_by_name(fulcrum):
    result = fulcrum("run", "--", "echo", os.fsdecode(b"\xff"))
    assert result.exit_code == 4
    assert "work.argv.1" in result.stderr


def test_a_removed_folder_is_told(fulcrum, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = fulcrum("run", "--", "true")
    assert (result.exit_code, "has been removed" in result.stderr) == (2, True)


@pytest.mark.parametrize("variable", ["FULCRUM_DATA_DIR", "FULCRUM_CONFIG"])
def test_a_home_that_is_not_there_is_told(variable):
    result = CliRunner().invoke(app, ["ls"], env={variable: "~nosuchuser/fulcrum"})
    assert (result.exit_code, "no such home folder" in result.stderr) == (2, True)
    with pytest.raises(InputError, match="nosuchuser"):
        expanded("~nosuchuser/x")


def test_an_operating_systems_error_is_a_sentence(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("")
    result = CliRunner().invoke(
        app, ["token", "create", "ada"], env={"FULCRUM_DATA_DIR": str(file)}
    )
    assert result.exit_code == 9
    assert result.stderr.startswith("error: ")
    assert str(file) in result.stderr


def test_a_token_is_never_printed(fulcrum):
    result = fulcrum("ls", FULCRUM_TOKEN="sec ret\tvalue")
    assert (result.exit_code, "FULCRUM_TOKEN" in result.stderr) == (2, True)
    assert "sec" not in result.stderr
    assert fulcrum("ls", FULCRUM_TOKEN=f"{fulcrum.world.token}\n").exit_code == 0


def test_a_damaged_tokens_file_shuts_out_others_only(fulcrum):
    (fulcrum.world.folder / "tokens.json").write_text("{")
    assert fulcrum("ls").exit_code == 0
    assert fulcrum("ls", FULCRUM_TOKEN="someone-elses-token").exit_code == 4


def test_equal_errors_of_two_fields_are_both_told(capsys):
    print_error("a: must be so (and 1 more)", {"a": "must be so", "b": "must be so"})
    told = capsys.readouterr().err
    assert told.count("must be so") == 2
    assert "b: must be so" in told


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("FAILED", "exit code 3", "failed: exit code 3"),
        ("FAILED", "FAILED: no data", "failed: no data"),
        ("CANCELLED", "cancelled by ada", "cancelled by ada"),
    ],
)
def test_a_state_is_not_said_twice(state, reason, told):
    assert standing(state, reason) == told


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch):
    env = {"ALL_PROXY": "socks9://127.0.0.1:1", "FULCRUM_TOKEN": "x", "NO_PROXY": None}
    result = CliRunner().invoke(app, ["--url", "http://elsewhere.test:1", "ls"], env=env)
    assert (result.exit_code, "proxy" in result.stderr) == (5, True)


def test_the_settings_tell_where_to_look_before_the_first_serve(tmp_path):
    env = {"FULCRUM_DATA_DIR": str(tmp_path / "none"), "FULCRUM_PORT": "8999"}
    result = CliRunner().invoke(app, ["ls"], env=env)
    assert "http://127.0.0.1:8999" in result.stderr


def test_a_batch_may_be_what_a_file_holds(fulcrum):
    from api.client import Client

    with Client(fulcrum.world.url, fulcrum.world.token) as client:
        jobs = client.submit_batch(
            {"defaults": {"kind": "command"}, "jobs": [{"work": {"argv": ["true"]}}] * 2}
        )
    assert [job.id for job in jobs] == [1, 2]
    assert json.dumps([job.name for job in jobs]) == '["", ""]'
