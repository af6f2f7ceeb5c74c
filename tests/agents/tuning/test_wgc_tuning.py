"""Tuning wgc: what is found is read back, and is no worse than what it began with."""

import json

import pytest
from typer.testing import CliRunner

from agents.tuning.search import Search
from agents.tuning.wgc import tune
from api.cli.main import app
from envs.scenarios import load
from scheduler.domain.errors import InputError
from scheduler.policies.schedules import anywhere

TINY = """
name = "tiny"
version = 1
reservations = "greedy"

[pools.gpu]
kind = "cuda"
model = "NVIDIA T4"
devices = 2
dollars_per_device_hour = 0.35
source = "made up"

[pools.cpu]
kind = "cpu"
model = "AMD EPYC 7B13"
devices = 8
dollars_per_device_hour = 0.04
source = "made up"

[workload.synthetic]

[objective]
latency_scale = 600
cost_scale_dollars = 0.1
reference_latency_s = 10000
reference_dollars = 1
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_search_begins_with_the_untuned_and_keeps_the_best(tiny):
    steps = []
    search = Search((0.0, 0.5, 1.0), trials=6, workloads=4, jobs=12, rivals=("sjf",))
    points = tune(load(str(tiny)), search, step=lambda: steps.append(1))
    assert [point.w for point in points] == [0.0, 0.5, 1.0]
    assert all(point.score <= 1 + 1e-9 for point in points)
    assert len(steps) == search.steps
    again = tune(load(str(tiny)), search)
    assert again == points


def test_the_command_writes_what_the_policy_reads(tiny, tmp_path):
    output = tmp_path / "ours.toml"
    words = ["scenario", "tune", str(tiny), "--trials", "2", "--workloads", "2", "--jobs", "8"]
    more = ["--preferences", "0.2,0.8", "--rivals", "fcfs,wgc:mixed-cloud", "--workers", "1"]
    done = CliRunner().invoke(app, [*words, *more, "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "HELD" in done.stdout
    policy = anywhere(str(output))
    assert [w for w, _ in policy.constants.points] == [0.2, 0.8]
    told = CliRunner().invoke(app, [*words, *more, "--json"])
    for (_, constants), point in zip(policy.constants.points, json.loads(told.stdout), strict=True):
        assert constants.congestion == point["constants"]["congestion"]
        assert set(point["rivals"]) == {"fcfs", "wgc:mixed-cloud"}


@pytest.mark.slow
def test_processes_find_the_same(tiny):
    search = Search((0.5,), trials=3, workloads=4, jobs=8, rivals=())
    scenario = load(str(tiny))
    assert tune(scenario, search, workers=2) == tune(scenario, search)


def test_what_cannot_be_searched_is_refused():
    for wrong in ({"workloads": 1}, {"trials": 0}, {"preferences": (1.5,)}, {"preferences": ()}):
        with pytest.raises(InputError):
            Search(**wrong)
