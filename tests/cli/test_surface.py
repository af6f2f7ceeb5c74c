from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.support import text_format
from api.cli.support.command_group import LazyCommand
from api.cli.support.exit_codes import ExitCode
from api.cli.support.flags import COMMAND, INFER, JOB, TRAIN
from api.client import files
from api.schemas import JOB as JOB_SCHEMA
from api.schemas import CnnInferJob, CnnTrainJob, CommandJob, JobBatchIn
from api.schemas.groups.sweep_requests import SWEEP

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def commands() -> Iterator[tuple[str, LazyCommand]]:
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {child}", found) for child, found in below.items())


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_has_an_example_and_json(name):
    listed = dict(commands())[name]
    command = listed.load()
    assert command.help.partition("\n\n")[0].replace("\n", " ") == listed.help
    assert f"Example: fulcrum {name}" in command.help
    assert any("--json" in parameter.opts for parameter in command.params)
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0


def leaves(model: Any, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        below = getattr(field.annotation, "model_fields", None)
        if below:
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize(
    ("flags", "model", "positional"),
    [
        (TRAIN, CnnTrainJob, set()),
        (INFER, CnnInferJob, {"work.models"}),
        (COMMAND, CommandJob, {"work.argv"}),
    ],
)
def test_there_is_a_flag_for_every_field(flags, model, positional):
    assert {flag.path for flag in (*JOB, *flags)} | positional | {"kind"} == set(leaves(model))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_valid_jobs(file):
    jobs = files.read(file)
    schema = json.loads((ROOT / "docs" / "job.schema.json").read_text())
    jsonschema.validate(jobs[0] if len(jobs) == 1 else jobs, schema)
    if len(jobs) == 1:
        (SWEEP if "sweep" in jobs[0] else JOB_SCHEMA).validate_python(jobs[0])
    else:
        JobBatchIn.model_validate({"jobs": jobs})
    assert "fulcrum submit" in file.read_text()


def test_the_examples_are_all_there():
    assert {"digits", "cats-dogs-resnet18", "pipeline", "command"} <= {f.stem for f in EXAMPLES}


@pytest.mark.parametrize("name", ["demo", "demo-photographs"])
def test_the_demo_is_what_it_promises(name):
    data = yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text())
    jobs = data["jobs"]
    assert len(jobs) >= 12
    assert sum("deadline" in job for job in jobs) >= 2
    assert any(len(job["work"].get("models", [])) == 2 for job in jobs)
    assert {job["kind"] for job in jobs} == {"cnn-train", "cnn-infer", "command"}
    assert any(job["name"] == "fails-once" for job in jobs)


def test_help_and_ls_start_without_learning_libraries():
    code = """
import sys
from api.cli.main import main
sys.argv = ["fulcrum", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
heavy = ("torch", "lightning", "sqlalchemy", "fastapi", "numpy", "scheduler.service.service")
print("HEAVY", [name for name in heavy if name in sys.modules])
"""
    for args in (["--help"], ["--url", "http://127.0.0.1:9", "ls"], ["train", "--help"]):
        answer = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True
        )
        assert answer.stdout.splitlines()[-1] == "HEAVY []"


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert re.fullmatch(r"fulcrum \d+\.\d+\.\d+\n", result.stdout)


def test_exit_codes_are_documented():
    page = (ROOT / "docs" / "cli.md").read_text()
    for code in ExitCode:
        assert f"| {code.value} |" in page
    for name, _ in commands():
        assert f"`fulcrum {name}" in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("inf"), "–"),
        (0.04, "0.0 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600 * 2 + 300, "2 h 05 min"),
        (86400 * 3 + 3600 * 4, "3 d 4 h"),
        (-5, "-5.0 s"),
    ],
)
def test_seconds(value, text):
    assert text_format.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0"),
        (12.3, "$12.30"),
        (0.0042, "$0.0042"),
        (3e-7, "$0.00000030"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(value, text):
    assert text_format.dollars(value) == text


def test_sizes_and_energy():
    assert text_format.size(3 * 2**20) == "3.0 MiB"
    assert text_format.joules(12400) == "12.4 kJ"
    assert text_format.share(0.9721) == "97.2 %"
