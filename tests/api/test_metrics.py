"""The figures for Prometheus: complete, bounded, and those that dashboard and alerts ask for."""

import json
import re
from importlib.resources import files

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.http.metrics.buckets import JOBS, CumulativeBuckets
from api.http.metrics.history import FAILURES, EventHistory, failure_class
from api.http.metrics.labels import OTHER, BoundedLabels
from scheduler.domain.events import Event
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.testing.memory_store import MemoryStore
from tests.api.conftest import CPU, World

SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created", "_info")


def families(world: World):
    text = world.client.get("/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(world: World):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families(world).values()
        for sample in family.samples
    }


def asked_for(text: str) -> set[str]:
    return set(re.findall(r"\b(?:fulcrum|process)_[a-z0-9_]+", text))


def test_a_queue_is_told_by_pool_project_and_cause(world: World) -> None:
    running = [world.running(), world.running()]
    waiting = world.submit(project="vision")
    world.submit(project="text", after=[waiting])
    found = values(world)
    assert found["fulcrum_queue_depth",] == 2
    assert found["fulcrum_queue_jobs_by_pool", "cpu"] == 1
    assert found["fulcrum_queue_jobs_by_project", "vision"] == 1
    assert found["fulcrum_queue_jobs_by_project", "text"] == 1
    assert found["fulcrum_queue_jobs_by_cause", "devices"] == 1
    assert found["fulcrum_queue_jobs_by_cause", "dependency"] == 1
    assert found["fulcrum_queue_oldest_wait_seconds",] >= 0
    assert found["fulcrum_job_wait_seconds_count",] == len(running)


def test_ends_costs_and_decisions_are_counted(world: World) -> None:
    world.finish(world.running(project="vision"))
    failing = world.running()
    world.executor.fail(f"{failing}.1", "exit code 3")
    world.until(failing, JobState.FAILED)
    found = values(world)
    assert found["fulcrum_attempt_failures_total", "exit-code"] == 1
    assert found["fulcrum_attempt_run_seconds_count", "succeeded"] == 1
    assert found["fulcrum_attempt_run_seconds_count", "failed"] == 1
    assert found["fulcrum_decisions_total", "start"] == 2
    assert found["fulcrum_dispatcher_events_total", "rounds"] >= 2
    assert found["fulcrum_cost_dollars_total", "cpu"] >= 0
    assert found["fulcrum_project_cost_dollars_total", "vision"] >= 0
    assert found["fulcrum_policy_info", "easy", "priority"] == 1
    assert found["fulcrum_policy_faults_total", "nan"] == 0
    assert found["fulcrum_nodes", "up"] == 1
    assert found["fulcrum_pool_dollars_per_device_hour", "cpu"] == CPU.dollars_per_device_hour
    assert found["process_resident_memory_bytes",] > 0


def test_names_follow_the_conventions(world: World) -> None:
    world.finish(world.running())
    for name, family in families(world).items():
        assert re.fullmatch(r"(fulcrum|process)_[a-z0-9_]+", name)
        assert family.documentation
        for sample in family.samples:
            assert not {"job", "user", "id"} & sample.labels.keys(), (
                "one series for each would grow"
            )
            if family.type == "counter":
                assert sample.name.endswith(("_total", "_created"))


@pytest.mark.parametrize("shipped", ["grafana.json", "alerts.yml"])
def test_what_dashboard_and_alerts_ask_for_exists(world: World, shipped: str) -> None:
    world.finish(world.running())
    known = {sample.name for family in families(world).values() for sample in family.samples}
    known |= set(families(world))
    text = files("api.http.metrics").joinpath(shipped).read_text()
    wanted = asked_for(text)
    assert len(wanted) > 5
    assert wanted <= known


def test_the_document_names_every_figure(world: World) -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()
    world.finish(world.running())
    named = asked_for(text)
    for name, family in families(world).items():
        if name.startswith("process_") or name.endswith("_created"):
            continue
        full = {"counter": f"{name}_total", "info": f"{name}_info"}.get(family.type, name)
        assert full in named or name in named, full
    known = {sample.name for family in families(world).values() for sample in family.samples}
    assert named <= known | set(families(world)) | {"process_"}


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board = json.loads(files("api.http.metrics").joinpath("grafana.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
        for target in panel.get("targets", ()):
            assert target["expr"].count("(") == target["expr"].count(")")
            assert '{job=~"$job"' in target["expr"]


def test_projects_beyond_the_limit_count_together_and_no_counter_falls() -> None:
    labels = BoundedLabels(most=2)
    assert labels.sums({"a": 1, "b": 2, "c": 3, "d": 4}) == {"a": 1, "b": 2, OTHER: 7}
    assert labels.sums({"d": 9, "b": 3}) == {OTHER: 9, "b": 3}


def test_a_distribution_is_cumulative() -> None:
    found = CumulativeBuckets()
    for value in (0.5, 1.0, 2.0, 1e9):
        found.add(value)
    buckets = dict(found.buckets())
    assert (buckets["1.0"], buckets["5.0"], buckets["+Inf"]) == (2, 3, 4)
    assert len(buckets) == len(JOBS) + 1
    assert found.total == pytest.approx(1e9 + 3.5)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("out of memory", "out-of-memory"),
        ("killed by SIGKILL (possibly out of memory)", "out-of-memory"),
        ("time limit", "time-limit"),
        ("could not start: no such file", "could-not-start"),
        ("exit code 3", "exit-code"),
        ("retry 1 of 2 in 5 s after exit code 3", "exit-code"),
        ("killed by SIGSEGV", "other"),
    ],
)
def test_reasons_fall_into_few_classes(reason: str, expected: str) -> None:
    event = Event(1, EventName.FAILED, 0.0, "executor", reason)
    assert failure_class(event) == expected
    assert expected in FAILURES
    assert failure_class(Event(1, EventName.LOST, 0.0, "executor", reason)) == "lost"


def test_a_history_forgets_jobs_that_ended() -> None:
    history = EventHistory(MemoryStore())
    for name, after in (("submitted", "QUEUED"), ("cancelled", "CANCELLED")):
        history._take(Event(1, EventName(name), 0.0, "ann", after=JobState(after)))
    assert not history._submitted
