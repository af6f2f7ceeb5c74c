"""Sweeps and arrays from Python."""

import pytest

from api.client import Client, ConflictError, FileError, InvalidError, NotFoundError, SweepFailed
from tests.api.conftest import serving
from tests.support.waiting import until

SWEEP = {
    "kind": "command",
    "work": {"argv": ["echo", "{size}"]},
    "sweep": {"parameters": {"size": [1, 2]}, "method": "grid", "metric": "loss"},
}


@pytest.fixture
def world(tmp_path):
    with serving(tmp_path) as world:
        yield world


@pytest.fixture
def client(world):
    with Client(world.url, world.token) as client:
        yield client


def test_a_sweep_is_submitted_and_read(client, world):
    sweep = client.submit_sweep(SWEEP, key="k")
    assert client.submit_sweep(**SWEEP, key="k").id == sweep.id == 1
    assert (sweep.state, sweep.info.trials, sweep.best) == ("RUNNING", 2, None)
    until(lambda: len(list(client.jobs(sweep=1))) == 2)
    assert [trial.parameters for trial in sweep.trials] == [{"size": 1}, {"size": 2}]
    assert [one.id for one in client.sweeps(state="running")] == [1]
    sweep.cancel("enough")

    def ended():
        world.executor.deliver()
        return sweep.detail().final

    until(ended)
    with pytest.raises(SweepFailed, match="ended cancelled: enough"):
        sweep.wait(check=True)
    with pytest.raises(ConflictError):
        sweep.cancel()
    with pytest.raises(NotFoundError):
        client.sweep(9)
    with pytest.raises(InvalidError):
        client.submit_sweep(kind="command", work={"argv": ["true"]}, sweep={})


def test_relative_paths_of_parameters_start_where_the_file_lies(tmp_path):
    from api.client.files import read

    file = tmp_path / "sweep.yaml"
    file.write_text(
        "{kind: cnn-train, sweep: {parameters: {work.dataset: [digits, 'folder:a'], x: [b]}}}"
    )
    (job,) = read(file)
    assert job["sweep"]["parameters"] == {
        "work.dataset": ["digits", f"folder:{tmp_path}/a"],
        "x": ["b"],
    }


def test_what_makes_several_jobs_is_not_submitted_as_one(client):
    with pytest.raises(FileError, match="use submit_sweep"):
        client.submit(SWEEP)
    with pytest.raises(FileError, match="use submit_batch"):
        client.run("true", array="0-3")
    jobs = client.submit_batch([{"kind": "command", "work": {"argv": ["true"]}, "array": "0-2"}])
    assert [job.info.index for job in jobs] == [0, 1, 2]
    assert [job.id for job in client.jobs(array=jobs[0])] == [3, 2, 1]
    assert client.cancel_jobs(array=jobs[0]).count == 3
