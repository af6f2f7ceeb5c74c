"""What the page shows of the past and of the time to come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World


def forecast(world: World) -> Any:
    world.service.queries.forecasts._made = None  # not the one of a moment ago
    return world.client.get("/v1/forecast").json()


def test_waiting_jobs_have_expected_starts_in_order(world: World) -> None:
    first = [world.running() for _ in range(2)]
    waiting = [world.submit() for _ in range(3)]
    dependent = world.submit(after=[waiting[0]])
    world.service.quiesce()
    found = forecast(world)
    assert sorted(one["job"] for one in found["running"]) == first
    assert [one["job"] for one in found["waiting"]] == waiting
    assert [one["position"] for one in found["waiting"]] == [1, 2, 3]
    starts = [datetime.fromisoformat(one["start"]) for one in found["waiting"]]
    assert starts == sorted(starts)
    assert min(starts) >= datetime.fromisoformat(min(one["end"] for one in found["running"]))
    assert found["depth"] == 3
    assert str(waiting[0]) in found["held"][str(dependent)]


def test_the_forecast_agrees_with_the_explanation(world: World) -> None:
    for _ in range(2):
        world.running()
    number = world.submit()
    world.service.quiesce()
    (expected,) = forecast(world)["waiting"]
    explained = world.client.get(f"/v1/jobs/{number}/explain").json()
    assert (expected["pool"], expected["width"]) == (explained["pool"], explained["width"])
    first, second = (datetime.fromisoformat(one["start"]) for one in (expected, explained))
    assert abs((first - second).total_seconds()) < 60


def test_watchers_share_one_forecast(world: World) -> None:
    world.running()
    one, other = (world.client.get("/v1/forecast").json() for _ in range(2))
    assert one == other


def test_attempts_of_several_jobs(world: World) -> None:
    numbers = [world.running() for _ in range(2)]
    world.finish(numbers[0])
    found = world.client.get("/v1/attempts", params={"job": numbers}).json()["attempts"]
    assert sorted(one["job"] for one in found) == numbers
    assert world.client.get("/v1/attempts?job=999").json()["attempts"] == []
    live = world.client.get("/v1/attempts", params={"since": "2200-01-01T00:00:00Z"}).json()
    assert [one["job"] for one in live["attempts"]] == numbers[1:]
    assert world.client.get("/v1/attempts?job=x").status_code == 422
    assert world.service.store.job(numbers[1]).state is JobState.RUNNING
