import json
import pickle
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from envs.scenarios import Split, load, names
from envs.scenarios.splits import SHARES, rows
from envs.scenarios.supply import Billing
from envs.workloads import lublin
from envs.workloads.traces import native
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError, MissingError
from tests.support.traces import trace

ALL = [
    "driving",
    "hpc-kth",
    "hpc-lublin",
    "lab",
    "medical",
    "mixed-cloud",
    "muri",
    "philly",
    "random",
    "smart-home",
]
REPLAYED = {
    "hpc-kth": "swf/KTH-SP2.swf.gz",
    "muri": "muri/trace2.csv",
    "philly": "philly/philly.csv.gz",
}
DRAWN = [name for name in ALL if name not in REPLAYED]
SCENARIO = """
name = "small"
version = 3
preference = 0.25
reservations = "greedy"
estimates = { name = "noisy", sigma = 0.5 }

[pools.cpu]
kind = "cpu"
model = "Some CPU"
devices = 4

[pools.gpu]
kind = "cuda"
model = "NVIDIA T4"
devices = 1
nodes = 3
min_nodes = 1
memory = "16GiB"
dollars_per_device_hour = 0.5
source = "a price list"
boot_s = 60
billing = "up"

[workload]
jobs = 30

[workload.synthetic]
load = [0.5, 0.5]
"""


def written(tmp_path, text, name="small.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_names():
    assert names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_every_shipped_scenario_loads(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.version >= 1
    assert scenario.description
    assert all(supply.origin for supply in scenario.supplies)
    assert scenario.objective is not None or name == "random"
    assert load(name).digest == scenario.digest
    assert pickle.loads(pickle.dumps(scenario)) == scenario


@pytest.mark.parametrize("name", DRAWN)
def test_workloads_are_determined_by_their_seed(name):
    scenario = load(name)
    first = scenario.workload(3, 50)
    assert first == load(name).workload(3, 50)
    assert len(first.jobs[first.counted_slice]) == 50
    assert first.jobs != scenario.workload(4, 50).jobs
    whole = scenario.workload(1)
    assert len(whole.jobs[whole.counted_slice]) == scenario.source.jobs


@pytest.mark.parametrize("name", ["mixed-cloud", "hpc-lublin", "random"])
def test_splits_share_no_workload(name):
    scenario = load(name)
    seen = [scenario.workload(seed, 20, split).jobs for split in Split for seed in range(12)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", ["mixed-cloud", "driving", "medical", "smart-home", "random"])
def test_every_job_can_run_on_the_pools(name):
    scenario = load(name)
    for seed in range(3):
        pools = scenario.draw(seed).pools
        for job in scenario.workload(seed, 100).jobs:
            assert any(
                run.device == pool.model
                and run.width <= pool.count
                and pool.memory_fits(run.width, job.memory_bytes)
                for run in job.runs
                for pool in pools
            )


def test_random_draws_whole_scenarios():
    scenario = load("random")
    drawn = [
        scenario.draw(seed, split) for split in (Split.TRAIN, Split.TEST) for seed in range(15)
    ]
    assert len({one.digest for one in drawn}) == len(drawn)
    assert {len(one.pools) for one in drawn} >= {1, 2, 3, 4}
    supplies = [supply for one in drawn for supply in one.supplies]
    assert any(supply.elastic for supply in supplies)
    assert any(supply.spot for supply in supplies)
    for one in drawn:
        assert one.randomisation is None
        assert one.objective is not None
        assert one.draw(5) is one
    assert drawn[0].workload(0, 20).jobs == scenario.workload(0, 20).jobs


def test_mixed_cloud_draws_the_load_of_each_workload():
    loads = [
        float(load("mixed-cloud").workload(seed, 20).source.split("load ")[1].split(",")[0])
        for seed in range(10)
    ]
    assert all(0.6 <= one <= 0.85 for one in loads)
    assert len(set(loads)) == 10


def test_a_file(tmp_path):
    scenario = load(written(tmp_path, SCENARIO))
    cpu, gpu = scenario.supplies
    assert (scenario.mode, scenario.preference) == (Mode.GREEDY, 0.25)
    assert (gpu.pool.nodes, gpu.min_nodes, gpu.pool.memory_per_node) == (3, 1, 16 << 30)
    assert gpu.elastic
    assert not cpu.elastic
    assert gpu.billing is Billing.UP
    assert (gpu.origin, gpu.pool.boot_s) == ("a price list", 60.0)
    assert cpu.pool.dollars_per_device_hour > 0
    assert cpu.origin
    assert len(scenario.workload(0).jobs) == 30
    job = scenario.workload(0).jobs[0]
    assert scenario.estimates.make(1).estimate(job, job.runs[0]) > 0


def test_the_digest_is_that_of_the_meaning(tmp_path):
    digest = load(written(tmp_path, SCENARIO)).digest
    assert load(written(tmp_path, f"# a remark\n{SCENARIO}", "again.toml")).digest == digest
    changed = SCENARIO.replace("load = [0.5, 0.5]", "load = [0.5, 0.6]")
    assert load(written(tmp_path, changed)).digest != digest
    assert load(written(tmp_path, SCENARIO.replace("0.5\nsource", "0.4\nsource"))).digest != digest


BAD = [
    ("version = 3", "version = 0", "version"),
    ('name = "small"', 'name = "Not Small"', "name"),
    ("preference = 0.25", "preference = 2", "preference"),
    ("preference = 0.25", "preference = nan", "preference"),
    ("preference = 0.25", 'colour = "red"', "colour"),
    ('reservations = "greedy"', 'reservations = "maybe"', "reservations"),
    ('reservations = "greedy"', 'placement = "tightest"', "placement"),
    ('name = "noisy"', 'name = "wise"', "estimates.name"),
    ("sigma = 0.5", 'sigma = "much"', "estimates.sigma"),
    ("sigma = 0.5", "tau = 0.5", "estimates"),
    ("devices = 4", "devices = 0", "pools.cpu.devices"),
    ('kind = "cpu"', 'kind = "tpu"', "pools.cpu.kind"),
    ('model = "Some CPU"', "", "pools.cpu.model"),
    (
        'model = "Some CPU"',
        'model = "x"\nidle_watts_per_device = 1e6',
        "pools.cpu.idle_watts_per_device",
    ),
    ('source = "a price list"', "", "pools.gpu"),
    ("min_nodes = 1", "min_nodes = 4", "pools.gpu"),
    ('billing = "up"', 'billing = "never"', "pools.gpu.billing"),
    ("boot_s = 60", "boot_s = inf", "pools.gpu.boot_s"),
    ("jobs = 30", "jobs = 0", "workload.jobs"),
    ("load = [0.5, 0.5]", "load = [0.6, 0.5]", "workload.synthetic.load"),
    ("load = [0.5, 0.5]", "load = 0.5", "workload.synthetic.load"),
    ("load = [0.5, 0.5]", "lod = [0.5, 0.5]", "workload.synthetic.lod"),
    ("load = [0.5, 0.5]", "training = { sigma = -1 }", "workload.synthetic.training.sigma"),
    ("[workload.synthetic]", "[workload.lublin]\n[workload.synthetic]", "scenario"),
    ("[workload.synthetic]\nload = [0.5, 0.5]", "", "scenario"),
    ('name = "small"', 'name = "small"\ndetect = true', "scenario"),
    ('name = "small"', 'name = "small', "scenario"),
]


@pytest.mark.parametrize(("old", "new", "field"), BAD)
def test_a_wrong_field_is_named(tmp_path, old, new, field):
    assert old in SCENARIO
    with pytest.raises(InputError) as caught:
        load(written(tmp_path, SCENARIO.replace(old, new)))
    assert field in caught.value.fields
    assert all(caught.value.fields.values())


def test_unknown_names_and_files():
    with pytest.raises(MissingError, match="did you mean 'medical"):
        load("medcal")
    with pytest.raises(MissingError, match="no scenario file"):
        load("nowhere/medical.toml")
    with pytest.raises(InputError, match="replays no trace"):
        load("medical", trace="x.swf")


def test_bad_questions():
    scenario = load("hpc-lublin")
    with pytest.raises(InputError, match="no split 'exam'"):
        scenario.workload(0, split="exam")
    with pytest.raises(InputError, match="negative"):
        scenario.workload(-1)
    with pytest.raises(InputError, match="0 jobs"):
        scenario.workload(0, 0)
    with pytest.raises(InputError, match="replays no trace"):
        scenario.whole_trace()
    with pytest.raises(InputError, match="not part of Fulcrum"):
        load("hpc-kth").workload(0)


@pytest.mark.parametrize("count", [0, 1, 7, 20, 28_481])
def test_the_rows_of_a_trace_are_shared_out_whole_and_once(count):
    shares = [rows(split, count) for split in Split]
    assert shares[0][0] == 0
    assert shares[-1][1] == count
    assert all(one[1] == other[0] for one, other in pairwise(shares))
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.fixture
def log(tmp_path):
    """100 jobs, told apart by their runtimes."""
    jobs = lublin.draw(lublin.Lublin(processors=16), 100, 1).jobs
    marked = tuple(
        replace(job, runs=(replace(job.runs[0], runtime_s=float(job.id)),)) for job in jobs
    )
    path = tmp_path / "log.jsonl.gz"
    native.write(replace(lublin.draw(lublin.Lublin(), 1, 1), jobs=marked), path)
    return path


@pytest.mark.parametrize("draw", ["window", "resample"])
def test_splits_share_no_row_of_a_trace(tmp_path, log, draw):
    text = SCENARIO.replace(
        "[workload.synthetic]\nload = [0.5, 0.5]",
        f'[workload.trace]\npath = "{log.name}"\ndraw = "{draw}"',
    )
    scenario = load(written(tmp_path, text))
    seen = {
        split: {
            job.runs[0].runtime_s
            for seed in range(20)
            for job in scenario.workload(seed, 10, split).jobs
        }
        for split in Split
    }
    for one in Split:
        assert seen[one] <= {float(row + 1) for row in range(*rows(one, 100))}
        assert len(seen[one]) >= 10
    assert len(scenario.whole_trace().jobs) == 100
    first = scenario.workload(1, 10)
    assert first == scenario.workload(1, 10)
    assert [job.id for job in first.jobs] == list(range(1, 11))
    assert first.jobs[0].submitted_at == 0
    if draw == "window":
        with pytest.raises(InputError, match="has 10 jobs for tuning"):
            scenario.workload(0, 11, "tuning")
    else:
        assert len(scenario.workload(0, 300, "tuning").jobs) == 300


def test_the_digest_follows_the_trace_not_its_place(tmp_path, log):
    moved = tmp_path / "elsewhere.jsonl.gz"
    moved.write_bytes(log.read_bytes())
    assert load("hpc-kth", trace=log).digest == load("hpc-kth", trace=moved).digest
    moved.write_bytes(trace_of_one_job(tmp_path))
    assert load("hpc-kth", trace=log).digest != load("hpc-kth", trace=moved).digest


def trace_of_one_job(tmp_path):
    return json.dumps({"submitted_at": 0, "runs": [["any", 1, 2]]}).encode()


@pytest.mark.parametrize("name", REPLAYED)
def test_published_traces(name):
    scenario = load(name, trace=trace(REPLAYED[name]))
    one = scenario.workload(0, split="test")
    assert len(one.jobs[one.counted_slice]) == scenario.source.jobs
    widest = max(pool.count for pool in scenario.pools)
    assert max(job.runs[0].width for job in scenario.whole_trace().jobs) <= widest
    assert scenario.objective is not None


def test_a_table_of_throughputs_changes_runtimes_and_digest(tmp_path):
    table = tmp_path / "t.json"
    rates = {"null": 1.0}
    table.write_text(json.dumps({"t4": {"('ResNet', 1)": rates}, "cpu": {"('ResNet', 1)": rates}}))
    path = written(tmp_path, SCENARIO)
    measured = load(path, throughputs=table)
    kinds = {job.kind for job in measured.workload(0).jobs}
    # The table has no inferences: theirs stay computed.
    assert "ResNet" in kinds
    assert all(kind == "ResNet" or kind.startswith("cnn-infer:") for kind in kinds)
    assert len(kinds) > 1
    assert measured.digest != load(path).digest


def test_the_documented_file_loads(tmp_path):
    page = Path(__file__).resolve().parents[3] / "docs" / "workloads.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    first, beyond = load(written(tmp_path, example)).workload(0, 10).counted
    assert beyond - first == 10
    documented = page.read_text("utf-8")
    assert all(f"| `{name}` |" in documented for name in names())
