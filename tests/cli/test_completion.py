"""What the shell offers, and the verbs of other tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.command_table import OTHER_TOOLS, PANELS
from api.cli.main import app
from tests.cli.conftest import PLAIN, Fulcrum


def offers(line: str, **env: str) -> list[str]:
    """What bash offers at the end of the line."""
    words = line.split()
    count = len(words) - (not line.endswith(" "))
    variables = {
        **PLAIN,
        **env,
        "_FULCRUM_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(count),
    }
    result = CliRunner().invoke(app, [], env=variables, prog_name="fulcrum")
    return result.stdout.split()


def test_jobs_are_offered_by_number_and_name(fulcrum: Fulcrum) -> None:
    world = fulcrum.world
    done = world.running(name="cnn")
    world.finish(done)
    live = world.running(name="cats")
    env = {"FULCRUM_TOKEN": world.token}
    line = f"fulcrum --url {world.url}"
    assert set(offers(f"{line} show ", **env)) == {str(done), str(live), "cnn", "cats"}
    assert offers(f"{line} logs c", **env) == ["cats", "cnn"]
    assert offers(f"{line} show {live}", **env) == [str(live)]
    assert set(offers(f"{line} cancel ", **env)) == {str(live), "cats"}
    assert offers(f"{line} train --after ca", **env) == ["cats"]
    assert "job:cnn" in offers(f"{line} train --weights job:", **env)
    assert offers(f"{line} policy use sj", **env) == ["sjf"]


def test_without_a_service_what_is_known_here_is_offered(tmp_path: Path) -> None:
    env = {"FULCRUM_URL": "http://127.0.0.1:9", "FULCRUM_TOKEN": "x"}
    assert offers("fulcrum show ", **env) == []
    assert offers("fulcrum train --device c", **env) == ["cpu", "cuda"]
    assert "wgc" in offers("fulcrum policy use w", **env)
    assert offers("fulcrum compare --policies fcfs,sj", **env) == ["fcfs,sjf"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fulcrum train --model resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("fulcrum train --dataset dig", ["digits"]),
        ("fulcrum infer 1 --data digits:t", ["digits:train", "digits:test"]),
        ("fulcrum compare --scenario med", ["medical"]),
        ("fulcrum ls --state ru", ["running"]),
        ("fulcrum train --preference ch", ["cheap"]),
    ],
)
def test_names_are_offered(line: str, offered: list[str]) -> None:
    assert set(offered) <= set(offers(line))


def test_files_and_folders_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos" / "train").mkdir(parents=True)
    (tmp_path / "net.pt").touch()
    monkeypatch.chdir(tmp_path)
    assert offers("fulcrum train --dataset folder:ph") == ["folder:photos/"]
    assert offers("fulcrum train --dataset folder:photos/") == ["folder:photos/train/"]
    assert offers(f"fulcrum train --weights {tmp_path}/n") == [f"{tmp_path}/net.pt"]


@pytest.mark.parametrize("verb", OTHER_TOOLS)
def test_the_verb_of_another_tool_names_the_command_that_is_meant(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "-u", "me"], env={**PLAIN, "COLUMNS": "300"})
    assert result.exit_code == 2
    assert OTHER_TOOLS[verb] in result.output
    named = {name for entries in PANELS.values() for name in entries}
    words = OTHER_TOOLS[verb].replace(",", "").split()
    assert {words[at + 1] for at, word in enumerate(words) if word == "fulcrum"} <= named
    assert verb not in named
