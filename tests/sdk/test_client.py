from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.client import (
    ConflictError,
    FileError,
    JobFailed,
    NotFoundError,
    StreamError,
    WaitTimeoutError,
)
from tests.support.answers import Service, detail, job, problem, sse


def page(*ids: int, cursor: str | None = None) -> dict[str, object]:
    return {"jobs": [job(id=number) for number in ids], "next_cursor": cursor}


def test_fields_of_a_training_go_where_they_belong():
    service = Service([job()])
    service.client().train(name="a", width="1..2", model="resnet18", epochs=3)
    assert service.bodies == [
        {
            "kind": "cnn-train",
            "name": "a",
            "width": "1..2",
            "work": {"model": "resnet18", "epochs": 3},
        }
    ]


def test_relative_paths_are_meant_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    service = Service([job(), job()])
    service.client().train(dataset="folder:photos")
    service.client().submit({"kind": "command", "work": {"argv": ["x"], "cwd": "."}})
    assert service.bodies[0]["work"]["dataset"] == f"folder:{tmp_path / 'photos'}"
    assert service.bodies[1]["work"]["cwd"] == str(tmp_path)


def test_handles_and_times_stand_for_themselves():
    service = Service([job(), job()])
    client = service.client()
    first = client.run("true")
    client.infer(models=[first], after=[first], deadline=datetime(2030, 1, 1, tzinfo=UTC))
    body = service.bodies[1]
    assert body["work"]["models"] == [17]
    assert body["after"] == [17]
    assert datetime.fromisoformat(body["deadline"]) == datetime(2030, 1, 1, tzinfo=UTC)


def test_names_in_a_batch_are_no_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").mkdir()
    service = Service([{"jobs": [job(id=1), job(id=2)]}])
    jobs = service.client().submit_batch(
        [
            {"kind": "cnn-train", "name": "net", "work": {}},
            {"kind": "cnn-infer", "work": {"models": ["net", "./other", "earlier"]}},
        ]
    )
    assert [handle.id for handle in jobs] == [1, 2]
    sent = service.bodies[0]["jobs"][1]["work"]["models"]
    assert sent == ["net", str(tmp_path / "other"), "earlier"]


def test_a_file_with_several_jobs_is_a_batch(tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text("[{kind: command, work: {argv: [a]}}, {kind: command, work: {argv: [b]}}]")
    service = Service([{"jobs": [job(id=1), job(id=2)]}])
    with pytest.raises(FileError, match="submit_batch"):
        service.client().submit(file)
    assert len(service.client().submit_batch(file)) == 2


def test_jobs_fetches_pages_only_as_needed():
    service = Service([page(3, 2, cursor="c"), page(1)])
    jobs = service.client().jobs(state=["RUNNING", "QUEUED"], name="x")
    assert next(jobs).id == 3
    assert len(service.requests) == 1
    assert [handle.id for handle in jobs] == [2, 1]
    first, second = service.requests
    assert first.url.params.get_list("state") == ["RUNNING", "QUEUED"]
    assert "cursor" not in first.url.params
    assert second.url.params["cursor"] == "c"
    assert second.url.params["name"] == "x"


def test_a_limit_stops_fetching():
    service = Service([page(3, 2, cursor="c")])
    assert [handle.id for handle in service.client().jobs(limit=2)] == [3, 2]


def test_wait_returns_when_the_job_has_ended():
    service = Service(
        [
            job(),
            detail(state="RUNNING", version=2),
            detail(state="SUCCEEDED", version=3, final=True, result={"metrics": {"accuracy": 1}}),
            detail(state="SUCCEEDED", version=3, final=True, result={"metrics": {"accuracy": 1}}),
        ]
    )
    handle = service.client().submit(kind="command").wait(check=True)
    assert handle.succeeded
    assert handle.done
    assert [r.url.params.get("version") for r in service.requests[1:]] == ["1", "2"]
    assert handle.result == {"metrics": {"accuracy": 1}}


def test_wait_with_check_tells_a_failure():
    service = Service([job(state="FAILED", final=True, reason="exit code 3")] * 2)
    client = service.client()
    assert client.submit(kind="command").wait().state == "FAILED"
    with pytest.raises(JobFailed, match="exit code 3") as caught:
        client.submit(kind="command").wait(check=True)
    assert caught.value.job.id == 17


def test_wait_gives_up_in_time():
    service = Service([job(), detail()])
    handle = service.client().submit(kind="command")
    with pytest.raises(WaitTimeoutError, match="still QUEUED") as caught:
        handle.wait(timeout=0)
    assert isinstance(caught.value, TimeoutError)


def test_changes_tells_every_version_once():
    versions = [detail(version=1), detail(version=2), detail(version=3, final=True)]
    service = Service([job(), *versions])
    handle = service.client().submit(kind="command")
    assert [now.info.version for now in handle.changes()] == [1, 2, 3]


def test_followed_lines_survive_a_dropped_connection():
    first = sse(
        b": logs\nretry: 1000\n\n",
        b"data: one\nid: 1:4\n\n",
        b"data: tw",
        broken=True,
    )
    second = sse(
        b"data: two\nid: 1:8\n\ndata:\nid: 1:9\n\n",
        b": attempt 2\n\n",
        b"data: three\nid: 2:6\n\n",
        b"event: end\ndata: {}\nid: 2:6\n\n",
    )
    service = Service([job(), first, second])
    lines = list(service.client().submit(kind="command").logs(follow=True))
    assert lines == ["one", "two", "", "three"]
    assert service.requests[2].headers["Last-Event-ID"] == "1:4"


def test_a_stream_that_ends_without_its_end_is_taken_up_again():
    ended = sse(b"event: end\ndata: {}\nid: 1:4\n\n")
    service = Service([job(), sse(b"data: one\nid: 1:4\n\n"), ended])
    assert list(service.client().submit(kind="command").logs(follow=True)) == ["one"]


def test_a_stream_that_never_gets_anywhere_is_given_up():
    service = Service([job(), *[sse() for _ in range(50)]])
    with pytest.raises(StreamError):
        list(service.client().submit(kind="command").logs(follow=True))


def test_plain_logs_and_an_unknown_attempt():
    service = Service([job(), sse(b"a\nb\n"), problem(404, "not-found")])
    handle = service.client().submit(kind="command")
    assert list(handle.logs(tail=2)) == ["a", "b"]
    with pytest.raises(NotFoundError):
        handle.logs(attempt=9)


def test_a_download_appears_whole_or_not_at_all(tmp_path: Path):
    service = Service([job(), sse(b"12", broken=True), sse(b"1234"), problem(404, "not-found")])
    handle = service.client().submit(kind="command")
    assert handle.download("sub/model.pt", tmp_path).read_bytes() == b"1234"
    with pytest.raises(NotFoundError):
        handle.download("other.pt", tmp_path / "new" / "other.pt")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.pt"]


def test_retry_is_a_new_job_and_cancel_may_be_refused():
    service = Service([job(), job(id=18, retry_of=17), problem(409, "illegal-transition")])
    handle = service.client().submit(kind="command")
    again = handle.retry()
    assert (again.id, again.info.retry_of) == (18, 17)
    assert "Idempotency-Key" in service.requests[1].headers
    with pytest.raises(ConflictError):
        again.cancel()


def test_a_preemption_tells_its_reason_and_may_be_refused():
    service = Service([job(), job(state="PREEMPTING"), problem(409, "conflict")])
    handle = service.client().submit(kind="command").preempt("maintenance")
    assert handle.info.state == "PREEMPTING"
    assert service.bodies[1] == {"reason": "maintenance"}
    with pytest.raises(ConflictError):
        handle.preempt()


def test_an_update_says_only_what_shall_be_otherwise():
    service = Service([job(), job(priority=90)])
    handle = service.client().submit(kind="command").update(priority=90, preference=None)
    assert handle.info.priority == 90
    assert service.requests[1].method == "PATCH"
    assert service.bodies[1] == {"priority": 90, "preference": None}


def test_preferences_say_only_what_shall_be_otherwise():
    now = {"cluster": 0.3, "projects": {"vision": 1.0}}
    service = Service([now, now, now])
    client = service.client()
    assert client.preferences().projects == {"vision": 1.0}
    assert client.prefer(projects={"vision": "fast", "nlp": None}).cluster == 0.3
    client.prefer("cheap")
    assert [(one.method, one.url.path) for one in service.requests] == [
        ("GET", "/v1/preferences"),
        ("PUT", "/v1/preferences"),
        ("PUT", "/v1/preferences"),
    ]
    assert service.bodies == [
        {"projects": {"vision": "fast", "nlp": None}},
        {"cluster": "cheap", "projects": {}},
    ]


def test_events_are_read_page_by_page():
    event = {
        "seq": 5,
        "job": 17,
        "name": "submitted",
        "time": "2026-01-01T00:00:00Z",
        "actor": "ada",
        "reason": "",
        "attempt": None,
        "before": None,
        "after": "QUEUED",
        "data": {},
    }
    service = Service([{"events": [event], "next_after": 5}, {"events": [], "next_after": 5}])
    assert [one.seq for one in service.client().events()] == [5]
    assert service.requests[1].url.params["after"] == "5"
