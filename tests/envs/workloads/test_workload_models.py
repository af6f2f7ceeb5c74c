import numpy as np
import pytest

from envs.workloads import lublin, synthetic
from envs.workloads.arrivals import DAY_S, Arrivals, Process, times
from envs.workloads.lublin import Lublin, Types
from envs.workloads.synthetic import People, Phase, Synthetic
from envs.workloads.throughputs import NETWORKS, computed
from envs.workloads.traces import gavel, swf
from envs.workloads.traces.documents import Document
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for
from tests.support.traces import trace


def pool(name, kind, model, devices, nodes=1, memory=0):
    figures = figures_for(kind, model)
    return Pool(name, kind, model, devices, nodes, memory, flops_per_device=figures.flops)


K80 = pool("k80", DeviceKind.CUDA, "NVIDIA Tesla K80", 4, 2, 48 << 30)
V100 = pool("v100", DeviceKind.CUDA, "NVIDIA Tesla V100", 4, memory=64 << 30)
CPU = pool("cpu", DeviceKind.CPU, "AMD EPYC 7B13", 16)
POOLS = (K80, V100, CPU)


def columns(workload):
    size = np.array([job.runs[0].width for job in workload.jobs])
    runtime = np.array([job.runs[0].runtime_s for job in workload.jobs])
    return size, runtime, np.array([job.submitted_at for job in workload.jobs])


def moments(workload):
    """Means and deviations that the model is about; logarithms, as single giants rule the rest."""
    size, runtime, submitted = columns(workload)
    pauses = np.diff(submitted)
    pauses = np.log(pauses[pauses > 0])
    return {
        "size": size.mean(),
        "log2 size": np.log2(size).mean(),
        "serial": (size == 1).mean(),
        "power of two": (np.log2(size) % 1 == 0).mean(),
        "log runtime": np.log(runtime).mean(),
        "log runtime, deviation": np.log(runtime).std(),
        "log pause": pauses.mean(),
        "log pause, deviation": pauses.std(),
    }


def test_lublin_has_the_moments_of_the_published_workload():
    published = moments(swf.read(trace("swf/lublin_256.swf.gz")))
    drawn = [moments(lublin.draw(Lublin(), 10_000, seed)) for seed in range(3)]
    for name, value in published.items():
        assert np.mean([one[name] for one in drawn]) == pytest.approx(value, rel=0.03), name


def test_lublin_moments_without_the_published_workload():
    found = moments(lublin.draw(Lublin(), 10_000, 1))
    assert found["serial"] == pytest.approx(0.244, abs=0.015)
    assert found["log2 size"] == pytest.approx(2.74, rel=0.03)
    assert found["log runtime"] == pytest.approx(5.68, rel=0.02)


def test_lublin_daily_cycle_is_that_of_its_weights():
    _, _, submitted = columns(lublin.draw(Lublin(), 20_000, 1))
    halves = np.bincount((submitted % DAY_S // 1800).astype(int), minlength=48) / len(submitted)
    weights = lublin.weights(lublin.WHOLE)
    assert weights.mean() == pytest.approx(1.0)
    assert np.corrcoef(halves, weights)[0, 1] > 0.95
    assert 10 * 2 <= int(weights.argmax()) <= 14 * 2


def test_lublin_types():
    both = lublin.draw(Lublin(types=Types.BOTH), 4000, 1)
    kinds = {job.kind for job in both.jobs}
    assert kinds == {"batch", "interactive"}
    by = {
        kind: np.mean([np.log(job.runs[0].runtime_s) for job in both.jobs if job.kind == kind])
        for kind in kinds
    }
    assert by["interactive"] < by["batch"]
    assert {job.kind for job in lublin.draw(Lublin(types=Types.BATCH), 50, 1).jobs} == {"batch"}


@pytest.mark.parametrize("processors", [1, 2, 100, 1024])
def test_lublin_fits_the_machine(processors):
    size, runtime, submitted = columns(lublin.draw(Lublin(processors=processors), 2000, 5))
    assert 1 <= size.min() <= size.max() <= processors
    assert runtime.min() >= 1
    assert runtime.max() < np.exp(12)
    assert submitted[0] >= 0
    assert (np.diff(submitted) >= 0).all()


def test_lublin_pauses_can_be_shortened():
    usual, busy = (
        lublin.draw(Lublin(pause_factor=factor), 5000, 1).jobs[-1].submitted_at
        for factor in (1.0, 0.5)
    )
    assert busy == pytest.approx(usual / 2, rel=0.05)


def test_lublin_refuses_what_cannot_be():
    assert lublin.draw(Lublin(), 0, 1).jobs == ()
    with pytest.raises(InputError, match="-1 jobs"):
        lublin.draw(Lublin(), -1, 1)


@pytest.mark.parametrize("process", Process)
def test_the_load_is_as_asked_for(process):
    parameters = Synthetic(load=(0.9, 0.9), arrivals=Arrivals(process))
    drawn = synthetic.draw(parameters, (V100,), 3000, 7)
    offered = sum(min(r.runtime_s for r in job.runs if r.width == 1) for job in drawn.jobs)
    span = drawn.jobs[-1].submitted_at
    assert offered / (span * V100.count) == pytest.approx(0.9, rel=0.02)


def test_slow_devices_count_by_their_speed():
    alone = synthetic.draw(Synthetic(), (V100,), 500, 7).jobs[-1].submitted_at
    helped = synthetic.draw(Synthetic(), (V100, CPU), 500, 7).jobs[-1].submitted_at
    assert 0.7 * alone < helped < alone


def test_equal_seeds_give_equal_workloads_and_others_do_not():
    parameters = Synthetic(arrivals=Arrivals(Process.BURSTS))
    root = np.random.SeedSequence(3, spawn_key=(1,))
    first = synthetic.draw(parameters, POOLS, 100, root)
    assert synthetic.draw(parameters, POOLS, 100, root) == first
    assert synthetic.draw(parameters, POOLS, 100, 3).jobs != first.jobs
    assert lublin.draw(Lublin(), 100, root) == lublin.draw(Lublin(), 100, root)


def test_one_purpose_does_not_disturb_another():
    plain = synthetic.draw(Synthetic(), POOLS, 200, 1).jobs
    due = Synthetic(training=Phase(deadline_share=1.0), inference=Phase(60.0, 1.0))
    with_deadlines = synthetic.draw(due, POOLS, 200, 1).jobs
    assert [job.runs for job in plain] == [job.runs for job in with_deadlines]
    assert [job.submitted_at for job in plain] == [job.submitted_at for job in with_deadlines]


def test_jobs_are_whole_and_in_order():
    parameters = Synthetic(
        training=Phase(widths=((1, 0.5), (4, 0.5)), deadline_share=0.5, grace_s=5.0),
        people=People(users=5, projects=2),
    )
    drawn = synthetic.draw(parameters, POOLS, 1500, 2)
    assert [job.id for job in drawn.jobs] == list(range(1, 1501))
    trained = [job for job in drawn.jobs if job.kind.startswith("cnn-train")]
    assert 0.45 < len(trained) / 1500 < 0.55
    assert 0.4 < np.mean([job.deadline is not None for job in trained]) < 0.6
    for job in drawn.jobs:
        ideal = min(run.runtime_s for run in job.runs)
        assert ideal > parameters.startup_s
        assert job.requested_s >= job.runs[0].runtime_s
        assert len({(run.device, run.width) for run in job.runs}) == len(job.runs)
        assert job.runs[0].runtime_s == min(r.runtime_s for r in job.runs if r.width == 1)
        if job.deadline is not None:
            assert job.deadline >= job.submitted_at + 2 * ideal
    assert {run.width for job in trained for run in job.runs if "V100" in run.device} == {1, 2, 4}
    users = [job.user for job in drawn.jobs]
    assert users.count("user 1") > 2 * users.count("user 5")


def test_works_that_fit_no_memory_are_not_drawn():
    small = pool("k80", DeviceKind.CUDA, "NVIDIA Tesla K80", 1, memory=2 << 30)
    kinds = {job.kind for job in synthetic.draw(Synthetic(), (small,), 300, 1).jobs}
    assert "cnn-train:vgg16" not in kinds
    assert "cnn-train:simple-cnn" in kinds
    tiny = pool("k80", DeviceKind.CUDA, "NVIDIA Tesla K80", 1, memory=1 << 20)
    with pytest.raises(InputError, match="no pool can run any cnn-train"):
        synthetic.draw(Synthetic(), (tiny,), 10, 1)


def test_unknown_works_are_named():
    parameters = Synthetic(training=Phase(works=(("cnn-train:resnet5", 1.0),)))
    with pytest.raises(InputError, match="resnet5") as caught:
        synthetic.draw(parameters, POOLS, 10, 1)
    assert "cnn-train:resnet50" in caught.value.fields["workload.synthetic.training.works"]


def test_measured_throughputs_can_replace_the_computed_ones():
    table = gavel.parse(
        Document(
            "t",
            """{"k80": {"('ResNet', 1)": {"null": 1.0}},
                          "v100": {"('ResNet', 1)": {"null": 4.0}}}""",
        )
    )
    only = Synthetic(training_share=1.0, startup_s=0.0)
    for job in synthetic.draw(only, POOLS, 20, 1, table).jobs:
        fast, slow = job.runs
        assert (fast.device, slow.device) == (V100.model, K80.model)
        assert slow.runtime_s == pytest.approx(4 * fast.runtime_s)


def test_computed_throughputs():
    table = computed(POOLS)
    assert table.works(JobKind.CNN_TRAIN) == tuple(f"cnn-train:{name}" for name in NETWORKS)
    for work in table.rates:
        k80, v100, cpu = (table.rate(work, pool.model) for pool in POOLS)
        assert v100 > k80 > cpu
    small, large = "cnn-train:simple-cnn", "cnn-train:resnet50"
    gain = {w: table.rate(w, V100.model) / table.rate(w, K80.model) for w in (small, large)}
    assert gain[small] < 1.5
    assert gain[large] > 4


@pytest.mark.parametrize("process", Process)
@pytest.mark.parametrize(("count", "span"), [(0, 0.0), (1, 10.0), (500, 1e3), (500, 1e8)])
def test_arrivals_are_ascending_and_within_the_span(process, count, span):
    found = times(Arrivals(process), count, span, np.random.default_rng(0))
    assert len(found) == count
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= span)).all()


def test_bursts_are_burstier_and_days_have_peaks():
    rng = np.random.default_rng(0)

    def dispersion(process):
        found = times(Arrivals(process), 20_000, 40 * DAY_S, rng)
        counts = np.histogram(found, bins=40 * 96)[0]
        return counts.var() / counts.mean()

    assert dispersion(Process.POISSON) == pytest.approx(1.0, abs=0.1)
    assert dispersion(Process.DIURNAL) > 1.5
    assert dispersion(Process.BURSTS) > 3


def test_a_window_of_a_longer_history_begins_anywhere_and_knows_its_beginning():
    windows = [lublin.draw(lublin.Lublin(64, history=500), 40, seed) for seed in range(20)]
    assert all(window.jobs[0].submitted_at == 0 for window in windows)
    assert {window.origin for window in windows} != {0.0}
    whole = lublin.draw(lublin.Lublin(64), 500, 3)
    times = [job.submitted_at for job in whole.jobs]
    start = times.index(-windows[3].origin)
    assert windows[3].jobs == whole.window(start, 40).jobs
    assert lublin.draw(lublin.Lublin(64, history=40), 40, 3).origin == 0.0
