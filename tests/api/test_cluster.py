"""The cluster, policies, costs, estimates, figures for Prometheus."""

from __future__ import annotations

import socket

from prometheus_client.parser import text_string_to_metric_families

from scheduler.problems import HealthProblem
from tests.api.conftest import World
from tests.support.waiting import until


def test_the_cluster_shows_who_holds_what(world: World) -> None:
    number = world.running(memory="1GiB")
    view = world.client.get("/v1/cluster").json()
    (pool,) = view["pools"]
    assert (pool["name"], pool["count"], pool["busy"]) == ("cpu", 2, 1)
    assert pool["memory_used"] == 2**30
    assert {device["job"] for device in pool["devices"]} == {number, None}
    assert view["active"] == 1


def test_another_policy_decides_from_now_on(world: World) -> None:
    before = world.client.get("/v1/policies").json()
    names = [policy["name"] for policy in before["policies"]]
    assert {"fcfs", "sjf"} <= set(names)
    body = {"name": "sjf", "preference": "fast"}
    answer = world.client.put("/v1/policies/active", json=body)
    assert answer.status_code == 200
    after = world.client.get("/v1/policies").json()
    assert after["active"] == answer.json()
    assert (after["active"]["name"], after["active"]["preference"]) == ("sjf", 1.0)
    assert [policy["name"] for policy in after["policies"] if policy["active"]] == ["sjf"]


def test_preferences_change_and_who_decides_stays(world: World) -> None:
    before = world.client.get("/v1/policies/active").json()
    body = {"cluster": "cheap", "projects": {"vision": "fast", "nlp": 0.25}}
    answer = world.client.put("/v1/preferences", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"cluster": 0.0, "projects": {"vision": 1.0, "nlp": 0.25}}
    world.client.put("/v1/preferences", json={"projects": {"vision": None}})
    assert world.client.get("/v1/preferences").json() == {"cluster": 0.0, "projects": {"nlp": 0.25}}
    assert world.client.get("/v1/policies/active").json() == {**before, "preference": 0.0}
    assert world.service.store.setting("policy") is None
    for wrong, field in (
        ({"cluster": 1.5}, "cluster"),
        ({"projects": {"nlp": "quick"}}, "projects.nlp"),
        ({"users": {}}, "users"),
    ):
        answer = world.client.put("/v1/preferences", json=wrong)
        assert answer.status_code == 422
        assert field in answer.text
    assert world.client.get("/v1/preferences").json() == {"cluster": 0.0, "projects": {"nlp": 0.25}}


def test_answers_are_not_held_back(world: World) -> None:
    """Else each one in two parts waits 40 ms for a delayed acknowledgement."""
    assert world.listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_wrong_method_is_told_the_right_ones(world: World) -> None:
    answer = world.client.delete("/v1/jobs")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_costs_add_up(world: World) -> None:
    for project in ("a", "b"):
        world.finish(world.running(project=project))
    for by in ("user", "project", "day", "pool"):
        costs = world.client.get("/v1/costs", params={"by": by}).json()
        assert costs["total"]["jobs"] == 2
        assert len(costs["groups"]) == (2 if by == "project" else 1)
    none = world.client.get("/v1/costs", params={"since": "2999-01-01T00:00:00Z"}).json()
    assert none["groups"] == []


def test_estimates_stand_beside_the_truth(world: World) -> None:
    empty = world.client.get("/v1/estimates").json()
    assert (empty["errors"], empty["measurements"]) == ([], [])
    number = world.running()
    world.executor.clock.advance(5)
    world.finish(number)
    world.until(number, "SUCCEEDED")
    found = world.client.get("/v1/estimates", params={"by": "kind"}).json()
    for one in found["measurements"]:
        assert one["job"] == number
        assert one["estimated_s"] > 0


def test_prometheus_reads_the_figures(world: World) -> None:
    world.finish(world.running())
    world.running()
    world.client.get("/v1/jobs/9999")
    text = world.client.get("/metrics").text
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["fulcrum_jobs", (("state", "SUCCEEDED"),)] == 1
    assert values["fulcrum_jobs", (("state", "RUNNING"),)] == 1
    assert values["fulcrum_jobs", (("state", "QUEUED"),)] == 0
    assert values["fulcrum_events_total", (("name", "submitted"),)] == 2
    assert values["fulcrum_submitted_jobs_total", (("kind", "command"),)] == 2
    assert values["fulcrum_queue_depth", ()] == 0
    assert values["fulcrum_pool_devices", (("pool", "cpu"),)] == 2
    assert values["fulcrum_pool_busy_devices", (("pool", "cpu"),)] == 1
    assert values["fulcrum_decision_seconds_count", ()] >= 2
    labels = (("method", "GET"), ("route", "/v1/jobs/{job_id}"), ("status", "404"))
    assert values["fulcrum_http_request_seconds_count", labels] == 1
    again = world.client.get("/metrics").text
    assert 'fulcrum_jobs{state="SUCCEEDED"} 1.0' in again, "nothing is counted twice"


def test_learned_policies_are_listed_and_used_by_name_without_restart(world):
    from agents.registry.registry import Registry
    from agents.serving.learned_policy import SCHEME
    from scheduler.policies import lookup
    from tests.support.learning_world import saved

    registry = Registry(world.folder)
    entry = registry.import_file(saved(world.folder / "run"), "ours")
    before = lookup.DEFAULT.schemes.get(SCHEME)
    lookup.register(SCHEME, registry.policy)
    try:
        answer = world.client.put("/v1/policies/active", json={"name": "learned:ours"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == entry.reference
        listed = {one["name"]: one for one in world.client.get("/v1/policies").json()["policies"]}
        assert listed[entry.reference]["active"]
        assert listed[entry.reference]["state"] == "candidate"
        assert "mixed-cloud" in listed[entry.reference]["summary"]
        for name in ("learned:nobody", f"learned:{world.folder / 'run'}"):
            answer = world.client.put("/v1/policies/active", json={"name": name})
            assert answer.status_code == 404
            assert entry.reference in answer.text
        (entry.folder / "policy.onnx").write_bytes(b"")
        answer = world.client.put("/v1/policies/active", json={"name": "learned:ours"})
        assert answer.status_code in (400, 422)
        listed = {one["name"]: one for one in world.client.get("/v1/policies").json()["policies"]}
        assert not listed[entry.reference]["usable"]
    finally:
        lookup.DEFAULT.schemes.pop(SCHEME)
        if before is not None:
            lookup.register(SCHEME, before)


def test_a_shadow_is_named_shown_and_ended(world: World) -> None:
    answer = world.client.put("/v1/policies/shadow", json={"name": "fcfs"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["shadow"]["name"] == "fcfs"
    assert world.client.get("/v1/policies/active").json()["shadow"]["agreement"] is None
    assert world.client.post("/v1/policies/shadow/score").status_code == 503
    for method, path in (("PUT", "shadow"), ("POST", "fit")):
        unknown = world.client.request(method, f"/v1/policies/{path}", json={"name": "best"})
        assert unknown.status_code == 404
        assert [error["field"] for error in unknown.json()["errors"]] == ["name"]
    assert world.client.delete("/v1/policies/shadow").json()["shadow"] is None
    assert world.client.post("/v1/policies/shadow/score").status_code == 404


def test_a_fit_needs_a_simulator_and_another_policy_than_wgc(world: World) -> None:
    assert world.client.post("/v1/policies/fit", json={"name": "wgc"}).status_code == 422
    assert world.client.post("/v1/policies/fit", json={"name": "sjf"}).status_code == 503
    active = world.client.get("/v1/policies/active").json()
    assert (active["fit"], active["faults"]["slow"]) == (None, 0)


def test_readyz_names_every_reason_and_the_figures_count_them(world: World, monkeypatch) -> None:
    assert world.client.get("/readyz").json() == {
        "status": "ok",
        "problems": [],
        "leader": None,
    }
    found = [
        HealthProblem("policy", "odd was replaced", "choose another", fatal=False),
        HealthProblem("disk", "the disk is nearly full", "free some"),
        HealthProblem("disk", "the data folder is gone"),
    ]
    monkeypatch.setattr(world.service, "problems", lambda: found)
    answer = world.with_token(None).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == (
        "the service is not ready: the disk is nearly full; the data folder is gone"
    )
    assert [(one["field"], one["message"]) for one in answer.json()["errors"]] == [
        ("policy", "odd was replaced; choose another"),
        ("disk", "the disk is nearly full; free some"),
        ("disk.2", "the data folder is gone"),
    ]
    assert world.with_token(None).get("/healthz").status_code == 200
    text = world.client.get("/metrics").text
    assert "fulcrum_ready 0.0" in text
    assert 'fulcrum_problems{fatal="true",part="disk"} 2.0' in text
    found[1:] = []
    (told,) = world.client.get("/readyz").json()["problems"]
    assert told == {"part": "policy", "text": "odd was replaced", "advice": "choose another"}
    assert "fulcrum_ready 1.0" in world.client.get("/metrics").text


def test_a_drained_node_takes_no_job_until_it_is_resumed(world: World) -> None:
    number = world.running()
    (node,) = world.client.get("/v1/nodes").json()["nodes"]
    assert (node["name"], node["state"], node["jobs"]) == ("local", "up", [number])
    drained = world.client.post("/v1/nodes/local/drain", json={"reason": "new fans"})
    (node,) = drained.json()["nodes"]
    assert node["state"] == "draining"
    assert "new fans" in node["reason"]
    waiting = world.client.post("/v1/jobs", json={"kind": "command", "work": {"argv": ["true"]}})
    path = f"/v1/jobs/{waiting.json()['id']}/explain"
    until(lambda: "node local is draining" in world.client.get(path).json()["text"])
    refused = world.client.post("/v1/nodes/local/retire")
    assert refused.status_code == 409
    assert world.client.post("/v1/nodes/other/drain", json={}).status_code == 404
    assert world.client.post("/v1/nodes/local/resume").json()["nodes"][0]["state"] == "up"
    page = world.client.get("/v1/nodes/events", params={"node": "local"}).json()
    assert [event["name"] for event in page["events"]] == ["joined", "up", "draining", "up"]
    assert page["next_after"] == page["events"][-1]["seq"]
