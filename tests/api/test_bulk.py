"""Many jobs at once: counting and cancelling them."""

from __future__ import annotations

from typing import Any

import pytest

from api.http.auth import create_token
from tests.api.conftest import COMMAND, World


def cancel(world: World, **body: Any) -> dict[str, Any]:
    answer = world.client.post("/v1/jobs:cancel", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_those_that_match_are_cancelled(world: World) -> None:
    running = [world.running(name="busy"), world.running(name="busy")]
    waiting = [world.submit(name=f"sweep-{index}", project="vision") for index in range(6)]
    assert cancel(world, name="SWEEP", dry_run=True)["count"] == 6
    found = cancel(world, ids=[waiting[0], running[0], 999], state=["QUEUED"], reason="no")
    assert found == {"count": 1, "jobs": [waiting[0]], "passed_over": [running[0], 999]}
    assert world.service.store.job(waiting[0]).reason == "no"
    assert cancel(world, project="vision")["jobs"] == waiting[:0:-1]
    assert cancel(world, project="vision")["count"] == 0
    assert cancel(world, everything=True)["jobs"] == running[::-1]
    world.until(running[0], "CANCELLING", "CANCELLED")


def test_those_that_wait_go_first_so_that_none_is_started_for_nothing(world: World) -> None:
    running = [world.running(), world.running()]
    waiting = [world.submit() for _ in range(5)]
    assert cancel(world, everything=True)["jobs"] == waiting[::-1] + running[::-1]
    world.until(running[1], "CANCELLED")
    assert all(world.service.store.job(number).attempts == 0 for number in waiting)


def test_a_user_reaches_only_jobs_of_their_own(world: World) -> None:
    text, _ = create_token(world.folder, "bob")
    bob = world.with_token(text)
    theirs = bob.post("/v1/jobs", json=COMMAND).json()["id"]
    ours = world.submit()
    assert bob.post("/v1/jobs:cancel", json={"user": "ada"}).status_code == 403
    assert bob.post("/v1/jobs:cancel", json={"everything": True}).json()["jobs"] == [theirs]
    assert not world.service.store.job(ours).state.final
    viewer, _ = create_token(world.folder, "eve", "viewer")
    answer = world.with_token(viewer).post("/v1/jobs:cancel", json={"everything": True})
    assert answer.status_code == 403


@pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"everything": False}, {"states": []}])
def test_nothing_named_is_nothing_cancelled(world: World, body: dict[str, Any]) -> None:
    number = world.submit()
    assert world.client.post("/v1/jobs:cancel", json=body).status_code == 422
    assert not world.service.store.job(number).state.final


def test_a_listing_tells_how_many_there_are_if_asked(world: World) -> None:
    for _ in range(5):
        world.submit(project="vision")
    world.submit()
    page = world.client.get("/v1/jobs", params={"project": "vision", "limit": 2, "count": "true"})
    assert (len(page.json()["jobs"]), page.json()["total"]) == (2, 5)
    assert world.client.get("/v1/jobs").json()["total"] is None
