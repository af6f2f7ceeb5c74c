"""Arrays of which only some jobs may run at the same time."""

import pytest

from tests.support.service_worlds import train, wide


def submit_array(world, jobs, parallel):
    members = [
        train(request=wide(1), array=-1, index=index, parallel=parallel) for index in range(jobs)
    ]
    world.submit(*members)
    world.settle()


def states(world, jobs):
    return [world.state(job) for job in range(1, jobs + 1)]


def test_no_more_of_an_array_run_than_it_says(world):
    submit_array(world, 4, parallel=1)
    assert states(world, 4) == ["RUNNING", "QUEUED", "QUEUED", "QUEUED"]
    found = world.service.queries.explain(2)
    assert (found.cause, found.blockers) == ("array", (1,))
    assert found.text == "waits for its turn: 1 of array 1 at the same time"
    world.finish("1.1")
    assert states(world, 4) == ["SUCCEEDED", "RUNNING", "QUEUED", "QUEUED"]


def test_a_cancelled_or_failed_job_makes_room_for_the_next(world):
    submit_array(world, 4, parallel=1)
    world.cancel(2)
    world.fail("1.1")
    world.settle()
    assert states(world, 4) == ["FAILED", "CANCELLED", "RUNNING", "QUEUED"]


def test_the_turns_are_the_same_after_a_restart(world):
    submit_array(world, 5, parallel=1)
    world.finish("1.1")
    world.restart()
    world.settle()
    assert states(world, 5)[1:3] == ["RUNNING", "QUEUED"]
    assert world.service.queries.explain(3).cause == "array"


@pytest.mark.parametrize("parallel", [2, 9, None])
def test_jobs_that_have_their_turn_compete_for_devices(world, parallel):
    submit_array(world, 5, parallel=parallel)
    held = [job for job in range(1, 6) if world.service.live_jobs.held.get(job)]
    assert held == ([3, 4, 5] if parallel == 2 else [])
    world.service.live_jobs.validate()
