"""kill -9 of the service: every job ends exactly once, what ran is adopted, nothing is lost."""

from __future__ import annotations

import signal
import subprocess

import pytest

from scheduler import bootstrap, settings
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.inventory import Inventory
from scheduler.service.service import Service
from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore
from scheduler.testing.clock import ManualClock
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.samples import job_spec
from tests.crash.conftest import PATIENCE_S, Place

RUNNING, QUEUED = 6, 20


def test_six_running_and_twenty_queued_jobs_end_exactly_once(place: Place) -> None:
    attempts = sorted(f"{job}.1" for job in range(1, RUNNING + QUEUED + 1))
    with place.service("--jobs", str(RUNNING + QUEUED)) as service:
        place.until(lambda: len(place.pids()) == RUNNING)
        assert place.states() == {"RUNNING": RUNNING, "QUEUED": QUEUED}
        before = place.pids()
        service.kill()
    place.open_gate(1)  # ends while nobody looks
    place.until(lambda: place.root.joinpath("ends").exists())
    with place.service():
        place.until(lambda: place.states()["SUCCEEDED"] == 1 and len(place.pids()) == RUNNING)
        after = place.pids()
        assert {name: pid for name, pid in after.items() if name in before} == {
            name: pid for name, pid in before.items() if name != "1.1"
        }
        place.open_gate()
        place.until(lambda: place.states()["SUCCEEDED"] == RUNNING + QUEUED)
    assert place.lines("starts") == place.lines("ends") == attempts
    tried = [one for job in range(1, RUNNING + QUEUED + 1) for one in place.store.attempts(job)]
    assert sorted(one.id for one in tried) == attempts
    assert {one.state.value for one in tried} == {"SUCCEEDED"}
    assert place.store.live() == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
def test_killed_between_commit_and_launch(place: Place, taken: bool) -> None:
    """Before the order is taken, or after it was and nobody noted it."""
    place.open_gate()
    options = ["--jobs", "9", "--dies", "3", *(["--taken"] if taken else [])]
    command = [*place.driver, *options]
    died = subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE_S)
    assert died.returncode == -signal.SIGKILL
    assert place.states()["SUCCEEDED"] < 9
    with place.service():
        place.until(lambda: place.states() == {"SUCCEEDED": 9})
    attempts = [f"{job}.1" for job in range(1, 10)]
    assert place.lines("starts") == place.lines("ends") == attempts
    assert [place.store.job(job).attempts for job in range(1, 10)] == [1] * 9


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
def test_killed_while_an_attempt_is_preempted(place: Place, taken: bool) -> None:
    """Before the attempt was asked to stop, or after it was; it is asked, and goes on later."""
    options = ["--jobs", "2", "--preempt", *(["--taken"] if taken else [])]
    command = [*place.driver, *options]
    died = subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE_S)
    assert died.returncode == -signal.SIGKILL
    assert place.store.job(1).state == "PREEMPTING"
    with place.service():
        place.until(lambda: place.pids().keys() == {"1.2", "2.1"})
        place.open_gate()
        place.until(lambda: place.states() == {"SUCCEEDED": 2})
    job, first = place.store.job(1), place.store.attempts(1)[0]
    assert (job.attempts, job.preemptions, job.failures) == (2, 1, 0)
    assert (first.state, first.exit_reason) == ("PREEMPTED", "preempted: by ann")
    assert place.lines("starts") == ["1.1", "1.2", "2.1"]
    assert place.lines("ends") == ["1.2", "2.1"]


@pytest.mark.slow
def test_killed_again_and_again(place: Place) -> None:
    """Each time a little later in the life of its jobs."""
    stages = (
        lambda: True,
        place.pids,
        place.root.joinpath("ends").exists,
        lambda: place.states()["SUCCEEDED"],
    )
    with place.service("--jobs", "12") as service:
        service.kill()
    for round_, stage in enumerate(stages):
        with place.service() as service:
            place.open_gate(3 * round_ + 1)
            place.until(stage)
            service.kill()
    with place.service():
        place.open_gate()
        place.until(lambda: place.states() == {"SUCCEEDED": 12})
    attempts = sorted(f"{job}.1" for job in range(1, 13))
    assert place.lines("starts") == place.lines("ends") == attempts


@pytest.mark.slow
def test_killed_while_many_submit(place: Place) -> None:
    """Who got an answer has jobs; who got none has them once or not at all, and may ask again."""
    asked: set[str] = set()
    has: dict[str, list[int]] = {}
    with place.service("--flood") as service:
        assert service.stdout is not None
        for line in service.stdout:
            verb, key, *ids = line.split()
            if verb == "asks":
                asked.add(key)
            else:
                has[key] = [int(number) for number in ids]
            if len(has) == 100:
                service.kill()
    jobs: dict[str, list[int]] = {}
    for job in reversed(place.store.jobs(JobQuery(), limit=100_000)):
        jobs.setdefault(job.spec.name, []).append(job.id)
    assert has.items() <= jobs.items()
    assert jobs.keys() <= asked
    assert all(len(ids) == 2 for ids in jobs.values())
    assert asked - has.keys()

    pool = Pool("cpu", DeviceKind.CPU, "CPU", 6)
    again = Service(
        bootstrap.components(
            settings.Settings(data_dir=place.data, policy="priority"),
            SqlStore(place.database),
            FakeExecutor(ManualClock()),
            Inventory((pool,), {"cpu": tuple("012345")}, {}, {}),
            ManualClock(),
        )
    )
    again.start(threaded=False)
    for key in sorted(asked):
        spec = job_spec(name=key)
        made, _ = again.jobs.submit([spec, spec], actor="ann", key=key, digest=key)
        ids = [job.id for job in made]
        assert ids == jobs.setdefault(key, ids)
    again.stop()
    assert len(place.store.jobs(JobQuery(), limit=100_000)) == 2 * len(asked)


@pytest.mark.slow
def test_a_second_service_is_refused_until_the_first_is_gone(place: Place) -> None:
    command = place.driver
    with place.service("--jobs", "1") as first:
        place.until(place.pids)
        second = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert second.returncode == 3
        assert f"process {first.pid}" in second.stderr
        assert str(place.data) in second.stderr
        assert place.states() == {"RUNNING": 1}
        first.kill()
    place.open_gate()
    with place.service():  # what runs on does not hold the folder
        place.until(lambda: place.states() == {"SUCCEEDED": 1})
