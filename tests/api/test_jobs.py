"""Submitting, showing, listing, cancelling and repeating jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from scheduler.store.sql.store import SqlStore
from scheduler.testing.memory_store import MemoryStore
from tests.api.conftest import COMMAND, ENDLESS, World, serving


@pytest.fixture(params=["memory", "sql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Over either store."""
    sql = request.param == "sql"
    store = SqlStore(f"sqlite:///{tmp_path / 'jobs.sqlite'}") if sql else MemoryStore()
    with serving(tmp_path / "data", store) as found:
        yield found


def test_a_submitted_job_is_where_its_location_says(world: World) -> None:
    answer = world.client.post(
        "/v1/jobs",
        json={
            "kind": "cnn-train",
            "name": "digits",
            "work": {"epochs": 2},
            "width": "1..2",
            "memory": "1GiB",
            "deadline": "+30m",
            "preference": "fast",
            "budget": 5,
            "retry": {"max_attempts": 2},
            "max_duration": "1h30m",
        },
    )
    assert answer.status_code == 201
    job = world.client.get(answer.headers["Location"]).json()
    assert job["id"] == answer.json()["id"]
    assert job["kind"] == "cnn-train"
    assert job["request"] == {
        "devices": ["any"], "min_width": 1, "max_width": 2, "memory_bytes": 2**30,
    }  # fmt: skip
    assert job["preference"] == 1.0
    assert job["max_duration_s"] == 5400
    assert job["deadline"] > job["submitted_at"]
    spec = world.service.store.job(job["id"]).spec
    assert spec.profile.samples > 0
    assert spec.work["epochs"] == 2


def test_a_job_that_ran_shows_its_attempts_and_history(world: World) -> None:
    number = world.running()
    world.finish(number)
    job = world.client.get(f"/v1/jobs/{number}").json()
    assert (job["state"], job["final"], job["attempts"]) == ("SUCCEEDED", True, 1)
    assert [attempt["id"] for attempt in job["history"]] == [f"{number}.1"]
    events = world.client.get(f"/v1/jobs/{number}/events").json()
    names = [event["name"] for event in events["events"]]
    assert names == ["submitted", "placed", "started", "succeeded"]
    after = world.client.get(f"/v1/jobs/{number}/events", params={"after": events["next_after"]})
    assert after.json()["events"] == []
    everything = world.client.get("/v1/events", params={"limit": 3}).json()
    assert len(everything["events"]) == 3
    assert everything["next_after"] == everything["events"][-1]["seq"]


def test_a_wait_returns_with_the_change(world: World) -> None:
    number = world.running()
    job = world.client.get(f"/v1/jobs/{number}").json()
    with ThreadPoolExecutor(1) as threads:
        params = {"wait_s": 30, "version": job["version"]}
        waiting = threads.submit(world.client.get, f"/v1/jobs/{number}", params=params)
        world.finish(number)
        assert waiting.result().json()["state"] == "SUCCEEDED"
    ended = world.client.get(f"/v1/jobs/{number}", params={"wait_s": 30})
    assert ended.json()["final"], "an ended job is not waited for"


def test_a_wait_without_a_change_ends(world: World) -> None:
    number = world.running()
    answer = world.client.get(f"/v1/jobs/{number}", params={"wait_s": 0.05, "version": 10**6})
    assert answer.json()["state"] == "RUNNING"


def test_pages_are_stable_while_jobs_arrive(world: World) -> None:
    first = [world.submit(name=f"old {index}") for index in range(7)]
    seen: list[int] = []
    address = "/v1/jobs?limit=2&name=OLD"
    while address:
        page = world.client.get(address)
        seen += [job["id"] for job in page.json()["jobs"]]
        world.submit(name="old, but later")
        address = page.links.get("next", {}).get("url", "")
        assert bool(address) == (page.json()["next_cursor"] is not None)
    assert seen == first[::-1]


def test_filters_narrow_a_listing(world: World) -> None:
    done = world.running(project="a", name="Alpha")
    world.finish(done)
    held = world.submit(project="b", after=[world.running()])
    trained = world.client.post("/v1/jobs", json={"kind": "cnn-train", "project": "b"}).json()

    def ids(**params: object) -> list[int]:
        answer = world.client.get("/v1/jobs", params=params)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["jobs"]]

    assert ids(state="succeeded") == [done]
    assert ids(state=["SUCCEEDED", "QUEUED"], project="a") == [done]
    assert ids(kind="cnn-train") == [trained["id"]]
    assert ids(kind="cnn-train,command", project="b") == [trained["id"], held]
    assert ids(name="ALPH") == [done]
    assert ids(user="nobody") == []
    moment = trained["submitted_at"]
    assert ids(submitted_from=moment) == [trained["id"]]
    assert trained["id"] not in ids(submitted_to=moment)


def test_cancel_and_retry(world: World) -> None:
    number = world.running()
    answer = world.client.post(f"/v1/jobs/{number}/cancel", json={"reason": "enough"})
    assert answer.status_code == 200
    world.until(number, "CANCELLED")
    events = world.client.get(f"/v1/jobs/{number}/events").json()["events"]
    assert any(event["reason"] == "enough" for event in events)
    again = world.client.post(f"/v1/jobs/{number}/retry")
    assert again.status_code == 201
    assert again.json()["retry_of"] == number
    assert again.headers["Location"] == f"/v1/jobs/{again.json()['id']}"


def test_a_running_job_can_be_preempted_if_it_can_go_on(world: World) -> None:
    number = world.running(work={"argv": ["true"], "resumable": True})
    answer = world.client.post(f"/v1/jobs/{number}/preempt", json={"reason": "maintenance"})
    assert answer.status_code == 200, answer.text
    world.until(number, "RUNNING", attempt=2)
    job = world.client.get(f"/v1/jobs/{number}").json()
    assert (job["preemptions"], job["failures"]) == (1, 0)
    assert job["history"][0]["state"] == "PREEMPTED"
    assert "maintenance" in job["history"][0]["exit_reason"]
    assert job["lost_s"] == job["history"][0]["lost_s"] >= 0
    costs = world.client.get("/v1/costs?by=user").json()["total"]
    assert costs["lost_device_seconds"] == pytest.approx(job["lost_s"])
    other = world.running()
    refused = world.client.post(f"/v1/jobs/{other}/preempt")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    world.finish(other)
    ended = world.client.post(f"/v1/jobs/{other}/preempt")
    assert (ended.status_code, ended.json()["code"]) == (409, "illegal-transition")


def test_a_waiting_job_can_be_changed(world: World) -> None:
    world.running(width=2)
    number = world.submit(width=2, preference="cheap")

    def patch(body: dict[str, object]) -> httpx.Response:
        return world.client.patch(f"/v1/jobs/{number}", json=body)

    changed = patch({"priority": 90, "preference": None, "deadline": "+2h"})
    assert changed.status_code == 200, changed.text
    job = world.client.get(f"/v1/jobs/{number}").json()
    assert (job["state"], job["priority"], job["preference"]) == ("QUEUED", 90, None)
    assert job["deadline"] is not None
    assert patch({"deadline": None}).json()["deadline"] is None
    events = world.client.get(f"/v1/jobs/{number}/events").json()["events"]
    assert [event["name"] for event in events] == ["submitted", "updated", "updated"]
    assert events[1]["data"]["priority"] == [50, 90]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"priority": 101}, "priority"),
        ({"priority": None}, "priority"),
        ({"preference": "slow"}, "preference"),
        ({"deadline": "2001-01-01T00:00:00Z"}, "deadline"),
        ({"budget": 3}, "budget"),
    ],
)
def test_a_wrong_change_changes_nothing(world: World, body: dict[str, object], field: str) -> None:
    world.running(width=2)
    number = world.submit(width=2)
    before = world.client.get(f"/v1/jobs/{number}").json()
    answer = world.client.patch(f"/v1/jobs/{number}", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert world.client.get(f"/v1/jobs/{number}").json() == before


def test_a_running_job_cannot_be_changed(world: World) -> None:
    answer = world.client.patch(f"/v1/jobs/{world.running()}", json={"priority": 90})
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal-transition")


def test_a_repeated_retry_makes_one_job(world: World) -> None:
    number = world.running()
    world.finish(number)
    first, second = (
        world.client.post(f"/v1/jobs/{number}/retry", headers={"Idempotency-Key": "again"})
        for _ in range(2)
    )
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["a", "b", "c"])
def test_a_key_makes_one_job_however_many_come_at_once(world: World, key: str) -> None:
    """One answer of eight is the first, the others are repetitions of it."""
    world.submit()
    gate = threading.Barrier(8)

    def post(index: int) -> tuple[int, bool]:
        gate.wait()
        # Spelt differently, meant alike.
        body = {**COMMAND, "width": "2" if index % 2 else 2}
        answer = world.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 201
        return answer.json()["id"], "Idempotency-Replayed" in answer.headers

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(post, range(8)))
    assert answers == [(2, False)] + [(2, True)] * 7
    assert world.trace()[0] == 2


def test_keys_of_different_users_are_their_own(world: World) -> None:
    from api.http.auth import create_token

    text, _ = create_token(world.folder, "ben")
    headers = {"Idempotency-Key": "k"}
    first = world.client.post("/v1/jobs", json=COMMAND, headers=headers).json()
    second = world.with_token(text).post("/v1/jobs", json=COMMAND, headers=headers).json()
    assert first["id"] != second["id"]
    assert second["user"] == "ben"


def test_a_batch_refers_by_name_and_answers_as_sent(world: World) -> None:
    batch = [
        {**COMMAND, "name": "last", "after": ["infer", "1"]},
        {"kind": "cnn-infer", "name": "infer", "work": {"models": ["b", "a"]}},
        {"kind": "cnn-train", "name": "a"},
        {"kind": "cnn-train", "name": "b", "after": "a"},
    ]
    world.submit()
    answer = world.client.post("/v1/jobs:batch", json={"jobs": batch})
    assert answer.status_code == 201, answer.text
    last, infer, a, b = answer.json()["jobs"]
    assert [job["name"] for job in (last, infer, a, b)] == ["last", "infer", "a", "b"]
    assert a["id"] < b["id"] < infer["id"] < last["id"]
    assert b["after"] == [a["id"]]
    assert set(infer["after"]) == {a["id"], b["id"]}
    assert infer["work"]["models"] == [b["id"], a["id"]]
    assert set(last["after"]) == {infer["id"], 1}
    spec = world.service.store.job(infer["id"]).spec
    assert spec.profile.flops_per_sample > 0, "its size is known from the trainings"


def test_a_batch_is_repeated_as_a_whole(world: World) -> None:
    body = {"jobs": [COMMAND, COMMAND]}
    first, second = (
        world.client.post("/v1/jobs:batch", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    ids = [[job["id"] for job in answer.json()["jobs"]] for answer in (first, second)]
    assert ids == [[1, 2], [1, 2]]
    assert second.headers["Idempotency-Replayed"] == "true"


def test_an_inference_waits_for_its_training(world: World) -> None:
    trained = world.client.post("/v1/jobs", json={"kind": "cnn-train"}).json()["id"]
    body = {"kind": "cnn-infer", "work": {"models": [trained]}}
    infer = world.client.post("/v1/jobs", json=body).json()
    assert infer["after"] == [trained]
    explained = world.client.get(f"/v1/jobs/{infer['id']}/explain").json()
    end = time.monotonic() + ENDLESS
    while explained["cause"] == "none" and time.monotonic() < end:  # not yet heard of
        explained = world.client.get(f"/v1/jobs/{infer['id']}/explain").json()
    assert explained["cause"] == "dependency"
    assert explained["blockers"] == [trained]


def test_a_plan_submits_nothing(world: World) -> None:
    before = world.trace()
    answer = world.client.post("/v1/jobs/plan", json={**COMMAND, "deadline": "1d"})
    assert answer.status_code == 200, answer.text
    outlooks = answer.json()["outlooks"]
    assert {outlook["preference"] for outlook in outlooks} == {"fast", "balanced", "cheap"}
    assert all(outlook["pool"] == "cpu" for outlook in outlooks)
    assert world.trace() == before


def test_the_largest_batch_is_one_long_chain(world: World) -> None:
    chain: list[dict[str, object]] = [{**COMMAND, "name": f"{index}x"} for index in range(1000)]
    for index in range(1, 1000):
        chain[index]["after"] = [f"{index - 1}x"]
    answer = world.client.post("/v1/jobs:batch", json={"jobs": chain[::-1]})
    assert answer.status_code == 201
    jobs = answer.json()["jobs"]
    assert [job["id"] for job in jobs] == list(range(1000, 0, -1))
    assert jobs[0]["after"] == [999]
