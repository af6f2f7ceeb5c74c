from dataclasses import replace

import pytest

from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.traces import formats, history, native
from envs.workloads.traces.documents import Document
from scheduler.domain import transitions
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind, Profile
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request
from scheduler.estimates.estimator import DEFAULT_S
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import POOL, ended, job_spec, measurement, placed, submitted

GPU = Pool("gpu", DeviceKind.CUDA, "Test GPU", 1, flops_per_device=1e12)
CPU = replace(POOL, flops_per_device=1e10)
POOLS = (CPU, GPU)


def training(**fields):
    return job_spec(
        kind=JobKind.CNN_TRAIN,
        profile=Profile("resnet18:224", 1000.0, 1e9),
        request=Request(min_width=1, max_width=2),
        user="ann",
        project="cats",
        **fields,
    )


def measured(job, attempt, seconds, **fields):
    one = replace(measurement(job.id, attempt.number), seconds=seconds, overhead_s=0.0, width=1)
    return replace(one, flops_per_sample=1e9, **fields)


def test_what_was_run_is_what_arrives():
    store = MemoryStore()
    (first,) = submitted(store, training(deadline=1000.0, priority=70, max_duration_s=900), now=100)
    (second,) = submitted(store, training(after=(first.id,)), now=110)
    job, attempt = ended(store, first, 0, start=120, end=220)
    store.measure(measured(job, attempt, 100.0))
    job, attempt = ended(store, second, 0, start=300, end=500)
    store.measure(measured(job, attempt, 200.0))
    (waiting,) = submitted(store, training(), now=400)
    (running,) = submitted(store, training(), now=410)
    placed(store, running, 1)

    found = history.read(store, POOLS)
    a, b = found.jobs
    assert found.source == "job history from its start to its end"
    spanned = history.read(store, POOLS, since=0.0, until=1_700_000_000.0)
    assert spanned.source == "job history from 1970-01-01 00:00 UTC to 2023-11-14 22:13 UTC"
    assert (a.submitted_at, a.deadline, a.requested_s, a.priority) == (0.0, 900.0, 900, 70.0)
    assert (a.user, a.project, a.kind) == ("ann", "cats", "resnet18:224")
    # It could not have started before the first had ended.
    assert b.submitted_at == 120.0
    assert found.skipped == (
        f"job {waiting.id}: QUEUED, not SUCCEEDED",
        f"job {running.id}: STARTING, not SUCCEEDED",
    )
    # The truth where it ran; elsewhere the ratio of the estimates.
    for arrival, truth in ((a, 100.0), (b, 200.0)):
        runs = {(run.device, run.width): run.runtime_s for run in arrival.runs}
        assert arrival.runs[0] == WorkloadRun("Test CPU", 1, truth)
        assert set(runs) == {("Test CPU", 1), ("Test CPU", 2), ("Test GPU", 1)}
        assert runs["Test CPU", 2] == pytest.approx(truth / 1.7, rel=0.1)
        assert runs["Test GPU", 1] < truth / 20
    assert b.runs[2].runtime_s == pytest.approx(2 * a.runs[2].runtime_s)


def test_what_was_expected_is_what_was_known_at_the_arrival():
    store = MemoryStore()
    # Submitted at once: the second of a kind is no better known than the first, unlike the third.
    first, second = submitted(store, training(), training(), now=100)
    (unknown,) = submitted(store, job_spec(), now=100)
    for job, seconds in ((first, 50.0), (second, 60.0), (unknown, 2.0)):
        ran, attempt = ended(store, job, 0, start=110, end=110 + seconds)
        key = job.spec.profile.key
        store.measure(measured(ran, attempt, seconds, time=110 + seconds, key=key, samples=1e3))
    (third,) = submitted(store, training(), now=200)
    ended(store, third, 0, start=210, end=265)

    jobs = history.read(store, POOLS).jobs
    assert [job.runs[0].runtime_s for job in jobs] == [50.0, 60.0, 2.0, 55.0]
    assert jobs[0].expected_s == jobs[1].expected_s == pytest.approx(2.0 + 1000 * 1e9 / 1e10)
    assert jobs[2].expected_s == DEFAULT_S
    assert 49.9 < jobs[3].expected_s < 60.1


def test_only_the_time_asked_for():
    store = MemoryStore()
    for now in (100, 200, 300):
        (job,) = submitted(store, training(), now=now)
        ended(store, job, 0, start=now + 10, end=now + 20)
    assert [job.id for job in history.read(store, POOLS, since=200).jobs] == [1, 2]
    assert len(history.read(store, POOLS, since=200, until=300).jobs) == 1
    with pytest.raises(InputError, match="holds no job"):
        history.read(store, POOLS, since=301)


def test_an_attempt_that_went_on_from_a_checkpoint_is_extended_to_the_whole_work():
    store = MemoryStore()
    (job,) = submitted(store, training())
    moved, attempt = placed(store, job, 0)
    gone = transitions.lost(moved, attempt, POOL, "power", 150.0)
    assert store.record([gone]) == [True]
    job, attempt = ended(store, gone.job, 0, start=200, end=260)
    assert attempt.number == 2
    store.measure(measured(job, attempt, 60.0, samples=250.0, overhead_s=20.0))
    (arrival,) = history.read(store, POOLS).jobs
    assert arrival.runs[0] == WorkloadRun("Test CPU", 1, 20.0 + 40.0 * 4)


def test_a_job_of_a_pool_that_is_gone_is_left_out_unless_it_was_measured():
    store = MemoryStore()
    (job,) = submitted(store, training())
    job, attempt = ended(store, job, 0)
    with pytest.raises(InputError, match="of which nothing is known now"):
        history.read(store, (GPU,))
    store.measure(measured(job, attempt, 60.0))
    (arrival,) = history.read(store, (GPU,)).jobs
    assert arrival.runs[0] == WorkloadRun("Test CPU", 1, 60.0)


WORKLOAD = Workload(
    "w",
    (
        Arrival(1, 0.0, (WorkloadRun("NVIDIA A10", 1, 84.25), WorkloadRun("cpu", 4, 910.0)), 100.0),
        Arrival(
            2,
            3.5,
            (WorkloadRun("any", 2, 0.0),),
            None,
            1 << 34,
            "kind \u2028 ß",
            "ann",
            "cats",
            80.0,
            90.0,
            0.0,
            300.0,
        ),
    ),
)


@pytest.mark.parametrize("name", ["w.jsonl", "w.jsonl.gz"])
def test_native_round_trip(tmp_path, name):
    native.write(WORKLOAD, tmp_path / name)
    assert formats.read(tmp_path / name).jobs == WORKLOAD.jobs
    again = tmp_path / f"again-{name}"
    native.write(WORKLOAD, again)
    assert again.read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "not a JSON object"),
        ('{"submitted_at": 0, "runs": [["any", 1, 1]], "expected_s": -1}', "expected_s is neg"),
        ('{"submitted_at": 0}', "runs is not a list"),
        ('{"submitted_at": 0, "runs": []}', "runs is not a list"),
        ('{"submitted_at": 0, "runs": [["any", 0, 1]]}', "not a whole number"),
        ('{"submitted_at": 0, "runs": [["any", 1, -1]]}', "negative"),
        ('{"submitted_at": 0, "runs": [["any", 9, 1]]}', "wider than the machine"),
        ('{"runs": [["any", 1, 1]]}', "submitted_at is not a number"),
        ('{"submitted_at": 0, "runs": [["any", 1, 1]], "colour": 1}', "unknown field 'colour'"),
        ('{"submitted_at": 0, "runs": [["any", 1, 1]], "user": 1}', "user is not a text"),
        ('{"submitted_at": 0, "runs": [["any", 1, 1]], "priority": 101}', "priority is not in"),
        ('{"submitted_at": 0, "runs": [["any", 1, 1]], "preference": 2}', "preference is not in"),
        ('{"submitted_at": NaN, "runs": [["any", 1, 1]]}', "out of range"),
    ],
)
def test_native_names_what_is_wrong(line, reason):
    with pytest.raises(InputError, match=reason):
        native.parse(Document("w", line), strict=True, processors=8)
