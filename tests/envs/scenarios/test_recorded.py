import json
import tomllib

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from envs.scenarios import load
from envs.scenarios.recorded import write
from envs.scenarios.supply import Supply
from envs.workloads import lublin
from envs.workloads.traces import history
from scheduler import bootstrap, settings
from scheduler.domain.errors import InputError, StateError
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import POOL, ended, submitted
from tests.support.traces import trace

SUPPLIES = (Supply(POOL, 1, origin='a "list"'),)


def filled(store, jobs=30, start=1000.0):
    for number in range(jobs):
        now = start + 10 * number
        (job,) = submitted(store, now=now)
        ended(store, job, 0, start=now + 1, end=now + 4 + number)
    return store


@pytest.fixture
def recorded():
    return history.read(filled(MemoryStore()), (POOL,))


def test_own_history_becomes_a_scenario(tmp_path, recorded):
    made = write(recorded, SUPPLIES, tmp_path / "Our Lab.toml", preference=0.75)
    assert tomllib.loads(made.path.read_text())["name"] == "our-lab"
    assert made.jobs.name == "Our Lab.jobs.jsonl.gz"
    scenario = load(made.path)
    assert scenario == made.scenario
    assert scenario.pools == (POOL,)
    assert scenario.preference == 0.75
    assert scenario.supplies[0].origin == 'a "list"'
    assert scenario.objective is not None
    assert scenario.whole_trace().jobs == recorded.jobs
    drawn = scenario.workload(1, 200)
    assert {job.runs for job in drawn.jobs} <= {job.runs for job in recorded.jobs}


def test_nothing_is_replaced_or_made_of_nothing(tmp_path, recorded):
    path = tmp_path / "a.toml"
    write(recorded, SUPPLIES, path)
    with pytest.raises(StateError, match="exists already"):
        write(recorded, SUPPLIES, path)
    write(recorded, SUPPLIES, path, overwrite=True)
    with pytest.raises(InputError, match="too few"):
        write(recorded.window(0, 19), SUPPLIES, tmp_path / "b.toml")
    with pytest.raises(InputError, match=r"does not end in \.toml"):
        write(recorded, SUPPLIES, tmp_path / "b.json")


@pytest.fixture
def fulcrum(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FULCRUM_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments):
        return CliRunner().invoke(app, arguments)

    return run


def test_scenario_new(fulcrum, tmp_path):
    answer = fulcrum("scenario", "new", "--from-history")
    assert answer.exit_code != 0
    assert "no job history" in answer.stderr
    (tmp_path / "data").mkdir()
    from scheduler.clock import SystemClock
    from scheduler.store.sql.store import SqlStore

    store = SqlStore(settings.load().database)
    filled(store, start=SystemClock().now() - 3600)
    store.close()
    answer = fulcrum("scenario", "new", "--from-history", "--since", "2h", "-o", "x.toml", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["jobs"] == 30
    shown = fulcrum("scenario", "show", "x.toml", "--seed", "1")
    assert shown.exit_code == 0, shown.output
    assert "30 in a workload" in shown.stdout
    bootstrap.history(settings.load()).close()


def test_scenario_ls_and_show(fulcrum):
    listed = json.loads(fulcrum("scenario", "ls", "--json").stdout)
    assert "mixed-cloud" in [one["name"] for one in listed]
    shown = json.loads(fulcrum("scenario", "show", "random", "--seed", "2", "--json").stdout)
    assert shown["pools"]
    assert shown["drawn"]["jobs"] > shown["workload"]["jobs"] == 1000
    assert fulcrum("scenario", "ls").exit_code == 0
    told = fulcrum("scenario", "show", "mixed-cloud").stdout
    assert "0..4" in told
    assert "1,000 that count, 1,000 before and 500 after them" in told
    wrong = fulcrum("scenario", "show", "mixed")
    assert wrong.exit_code != 0
    assert "mixed-cloud" in wrong.stderr


def test_trace_info(fulcrum, tmp_path):
    rows = [
        f"{job.id} {job.submitted_at} -1 {job.runs[0].runtime_s} {job.runs[0].width}" + " -1" * 13
        for job in lublin.draw(lublin.Lublin(), 50, 1).jobs
    ]
    (tmp_path / "t.swf").write_text("; MaxProcs: 256\n" + "\n".join([*rows, "1 2 3"]))
    answer = fulcrum("trace", "info", "t.swf", "--plot", "t.png")
    assert answer.exit_code == 0, answer.output
    assert "50 (1 rows skipped)" in answer.stdout
    assert "line 52: 3 columns" in answer.stderr
    assert (tmp_path / "t.png").is_file()
    found = json.loads(fulcrum("trace", "info", "t.swf", "--json").stdout)
    assert (found["format"], found["jobs"], found["processors"]) == ("swf", 50, 256)
    strict = fulcrum("trace", "info", "t.swf", "--strict")
    assert strict.exit_code != 0
    assert "line 52" in strict.stderr


def test_trace_info_of_a_throughput_table(fulcrum):
    answer = fulcrum("trace", "info", str(trace("gavel/simulation_throughputs.json.gz")))
    assert answer.exit_code == 0, answer.output
    assert "26 kinds of work" in answer.stdout
