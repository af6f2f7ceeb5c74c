"""A machine that only submits needs the client and the command line, and nothing of the service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from scheduler.domain.lifecycle import JobState
from tests.support.light_install import closure, light_install

HEAVY = ("torch", "numpy", "fastapi", "sqlalchemy", "gymnasium", "simpy", "stable_baselines3")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return light_install(tmp_path_factory.mktemp("light"))


@pytest.fixture
def run(python, tmp_path):
    """`run(*arguments)` is a process of the light interpreter, in a folder of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("FULCRUM_", "PYTHON"))}

    def started(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        variables = {**inherited, "FULCRUM_DATA_DIR": str(tmp_path / "data"), **env}
        return subprocess.run(
            [python, "-P", *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=variables,
        )

    return started


def test_the_service_is_not_there(run):
    code = f"from importlib.util import find_spec; print([*map(find_spec, {HEAVY!r})])"
    assert run("-c", code).stdout == f"{[None] * len(HEAVY)}\n"
    assert not closure() & {"torch", "numpy", "fastapi", "sqlalchemy", "ray"}


def test_jobs_are_submitted_listed_and_read(run, world, tmp_path):
    def fulcrum(*args: str) -> str:
        found = run(
            "-m",
            "fulcrum",
            *args,
            FULCRUM_URL=world.url,
            FULCRUM_TOKEN=str(world.token),
            COLUMNS="200",
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    (tmp_path / "jobs.yaml").write_text(
        "- {kind: cnn-train, name: net}\n- {kind: cnn-infer, name: vote, work: {models: [net]}}\n"
    )
    assert fulcrum("submit", "jobs.yaml", "--set", "priority=3") == "1\n2\n"
    assert [job["name"] for job in json.loads(fulcrum("ls", "--json"))] == ["vote", "net"]
    assert "vote" in fulcrum("ls")
    world.until(1, JobState.RUNNING)
    world.log(1, "epoch 1\n")
    assert fulcrum("logs", "1") == "epoch 1\n"
    assert "digits" in fulcrum("show", "1")
    assert "ok" in fulcrum("doctor")
    assert "wgc" in fulcrum("policy", "ls")


def test_the_sdk_is_imported_alone(run, world):
    code = (
        "import sys; from fulcrum import Client, JobHandle, read_jobs\n"
        f"with Client({world.url!r}, {world.token!r}) as client:\n"
        "    print(client.run('true', name='sdk').name, [job.name for job in client.jobs()])\n"
    )
    assert run("-c", code).stdout == "sdk ['sdk']\n"


@pytest.mark.parametrize(
    ("args", "extra"),
    [
        (("serve", "--json"), "service"),
        (("backup", "--json"), "service"),
        (("compare", "--json"), "train"),
        (("policy", "train", "runs/first", "--json"), "train"),
        (("scenario", "ls"), "train"),
    ],
)
def test_a_command_without_its_packages_says_what_to_install(run, args, extra):
    found = run("-m", "fulcrum", *args)
    assert found.returncode == 8
    assert f"pip install 'fulcrum-scheduler[{extra}]'" in found.stderr
    assert "Traceback" not in found.stderr


def test_every_command_has_its_help_page(run):
    code = """
from api.cli.command_table import PANELS
from api.cli.support.command_group import commands
for name, command in commands(PANELS).items():
    for one in getattr(command, "commands", {"": command}).values():
        one.load()
print("all")
"""
    assert run("-c", code).stdout == "all\n"


def test_another_package_in_its_place_is_named(run, tmp_path):
    """A project may have a folder with the name of one of Fulcrum's packages."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").write_text("")
    here = str(tmp_path)
    found = run("-c", "from fulcrum import Client", PYTHONPATH=here)
    assert f"ImportError: api is imported from {here}/api, not from Fulcrum" in found.stderr
    found = run("-m", "fulcrum", "ls", PYTHONPATH=here)
    assert (found.returncode, "environment of its own" in found.stderr) == (7, True)
