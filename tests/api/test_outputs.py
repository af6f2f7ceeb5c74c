"""Logs, metrics and artifacts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from httpx_sse import EventSource, ServerSentEvent

from api.client.lines import split
from api.http import log_tail
from api.http.log_stream import CHUNK, Follow, Place
from scheduler.service.running.work_reports import newest_report
from tests.api.conftest import World
from tests.support.waiting import PATIENCE_S


def follow(world: World, number: int, last: str = "", **params: Any) -> Iterator[ServerSentEvent]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    address = f"/v1/jobs/{number}/logs"
    with world.client.stream("GET", address, params=params, headers=headers) as response:
        assert response.status_code == 200
        yield from EventSource(response).iter_sse()


def test_a_log_and_its_end(world: World) -> None:
    number = world.running()
    empty = world.client.get(f"/v1/jobs/{number}/logs")
    assert (empty.status_code, empty.text) == (200, "")
    world.log(number, "one\ntwo\nthree")
    answer = world.client.get(f"/v1/jobs/{number}/logs")
    assert answer.text == "one\ntwo\nthree"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Fulcrum-Attempt"] == "1"
    assert world.client.get(f"/v1/jobs/{number}/logs?tail=2").text == "two\nthree"
    assert world.client.get(f"/v1/jobs/{number}/logs?tail=9").text == "one\ntwo\nthree"


def test_a_waiting_job_has_an_empty_log(world: World) -> None:
    number = world.submit(after=[world.running()])
    assert world.client.get(f"/v1/jobs/{number}/logs?attempt=1").text == ""


@pytest.mark.parametrize("last", [b"end\n", b"end"])
def test_the_tail_of_a_long_file(tmp_path: Path, last: bytes) -> None:
    """Whatever the blocks it is read in."""
    lines = [b"%d %s\n" % (index, b"x" * (index * 37 % 900)) for index in range(500)]
    path = tmp_path / "log.txt"
    path.write_bytes(b"".join(lines) + last)
    assert path.stat().st_size > 3 * CHUNK
    for count in (1, 2, 150, 500, 501, 10_000):
        expected = b"".join([*lines, last][-count:])
        assert b"".join(log_tail.read(path, log_tail.tail(path, count))) == expected


def test_the_tail_of_long_lines_is_bounded(tmp_path: Path) -> None:
    """Of each line its end, behind a mark; and a file is looked at only so far back."""
    path = tmp_path / "log.txt"
    long = b"0%\r" + b"x" * 10 * log_tail.LINE
    path.write_bytes(b"first\n" + long + b"\n" + b"short\n" + long)
    shown = log_tail.MARK + b"x" * (log_tail.LINE - 1)
    assert b"".join(log_tail.read(path, log_tail.tail(path, 3))) == (
        shown + b"\nshort\n" + shown + b"x"
    )
    everything = b"".join(log_tail.read(path, log_tail.tail(path, 9)))
    assert everything.startswith(b"first\n" + log_tail.MARK)
    back = len(long) + 3
    assert log_tail.tail(path, 9, back)[0].start == path.stat().st_size - back
    assert log_tail.tail(path, 9, back)[0].cut


ODD = "a\u2028b\x0bc\x0cd\x1ce\x85f 10%\r20%"


def test_only_a_newline_ends_a_line(world: World) -> None:
    number = world.running()
    world.log(number, f"{ODD}\r\nlast\n")
    world.finish(number)
    whole = world.client.get(f"/v1/jobs/{number}/logs").content
    assert list(split([whole[:3], whole[3:]])) == [ODD, "last"]
    tail = world.client.get(f"/v1/jobs/{number}/logs?tail=2").content
    assert tail == whole
    followed = [event.data for event in follow(world, number) if event.event != "end"]
    assert followed == [*ODD.split("\r"), "last"]


def test_a_piece_of_a_line_cuts_no_character(world: World) -> None:
    number = world.running()
    line = "x" + "ß" * CHUNK
    world.log(number, line)
    world.finish(number)
    followed = [event.data for event in follow(world, number) if event.event != "end"]
    assert followed == list(split([line.encode()]))
    assert "".join(followed) == line


def test_following_goes_on_over_attempts_until_the_end(world: World) -> None:
    number = world.running(retry={"max_attempts": 2, "backoff_s": 0})
    world.log(number, "first\nhalf a ")
    events = follow(world, number)
    assert next(events).data == "first"
    world.log(number, "line\nbye")
    assert next(events).data == "half a line"
    world.executor.fail(f"{number}.1")
    assert next(events).data == "bye", "the rest comes once the attempt has ended"
    world.until(number, "RUNNING", attempt=2)
    world.log(number, "second\n", attempt=2)
    second = next(events)
    assert (second.data, second.id) == ("second", "2:7")
    world.finish(number)
    end = next(events)
    assert end.event == "end"
    assert json.loads(end.data)["state"] == "SUCCEEDED"
    assert list(events) == []
    assert [event.data for event in follow(world, number, attempt=1)][:3] == [
        "first",
        "half a line",
        "bye",
    ]


def test_a_broken_stream_is_taken_up_where_it_ended(world: World) -> None:
    number = world.running()
    lines = [f"line {index} größe ☃" for index in range(300)]
    path = world.log(number, "\n".join(lines) + "\n")
    world.finish(number)
    seen, last = [], ""
    while True:
        ended = False
        for count, event in enumerate(follow(world, number, last)):
            if event.event == "end":
                ended = True
                break
            seen.append(event.data)
            last = event.id
            assert path.read_bytes()[: int(last.partition(":")[2])].endswith(
                event.data.encode() + b"\n"
            )
            if count == 76:
                break
        if ended:
            break
    assert seen == lines


def test_a_stream_carries_what_is_no_text(world: World) -> None:
    """Progress bars that rewrite their line, bytes that are no UTF-8, a line without end."""
    number = world.running()
    world.log(number, b"10%\r20%\r\nbad \xff\xfe\n\n" + b"y" * (CHUNK + 10))
    world.finish(number)
    data = [event.data for event in follow(world, number) if event.event != "end"]
    assert data[:4] == ["10%", "20%", "bad \ufffd\ufffd", ""]
    assert "".join(data[4:]) == "y" * (CHUNK + 10)


def test_following_goes_on_behind_the_cut_of_a_log_that_reached_its_limit(
    world: World, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("kept\n")
    job = world.service.store.job(world.submit())
    limiter = anyio.CapacityLimiter(1)
    follower = Follow(Place(1, 500), lambda: job, lambda _: log, threading.Event(), limiter)
    assert follower._lines(over=False) == b""
    with log.open("a") as file:
        file.write("next\n")
    assert b"data: next" in follower._lines(over=False)


def test_following_from_the_tail(world: World) -> None:
    number = world.running()
    world.log(number, "a\nb\nc\n")
    world.finish(number)
    events = list(follow(world, number, tail=1))
    assert [event.data for event in events[:-1]] == ["c"]


def test_a_job_that_never_ran_ends_its_stream(world: World) -> None:
    number = world.submit(after=[world.running()])
    world.client.post(f"/v1/jobs/{number}/cancel")
    world.until(number, "CANCELLED")
    assert [event.event for event in follow(world, number)] == ["end"]


def test_followers_do_not_hold_up_the_end_of_the_server(world: World) -> None:
    """The fixture fails if the server does not stop in time."""
    number = world.running()
    world.log(number, "x\n")
    events = follow(world, number)
    next(events)
    waiter = threading.Thread(
        target=lambda: world.client.get(f"/v1/jobs/{number}", params={"wait_s": 30})
    )
    waiter.start()
    world.context.closing.set()
    assert list(events) == []
    waiter.join(PATIENCE_S)
    assert not waiter.is_alive()


def test_metrics_are_read_by_attempt_and_kind(world: World) -> None:
    number = world.running(retry={"max_attempts": 2, "backoff_s": 0})
    path = world.log(number, "").with_name("metrics.jsonl")
    path.write_text('{"kind": "epoch", "epoch": 1}\n{"kind": "progress"}\nnull\n{"kind": "ep')
    world.executor.fail(f"{number}.1")
    world.until(number, "RUNNING", attempt=2)
    second = world.log(number, "", attempt=2).with_name("metrics.jsonl")
    second.write_text('{"kind": "epoch", "epoch": 1}\n{"kind": "epoch", "epoch": 2}\n')

    def lines(**params: Any) -> list[list[dict[str, Any]]]:
        answer = world.client.get(f"/v1/jobs/{number}/metrics", params=params)
        return [attempt["lines"] for attempt in answer.json()["attempts"]]

    assert [len(found) for found in lines()] == [2, 2]
    assert lines(kind="epoch", attempt=1) == [[{"kind": "epoch", "epoch": 1}]]
    assert lines(tail=1)[1] == [{"kind": "epoch", "epoch": 2}]
    second.write_text('{"kind": "epoch", "epoch": 3}\n' + '{"kind": "progress"}\n' * 9000)
    assert lines(tail=1, kind="epoch", attempt=2) == [[{"kind": "epoch", "epoch": 3}]]
    assert lines(tail=2, attempt=2) == [[{"kind": "progress"}] * 2]


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_holds_nobody_up_and_shows_nothing(world: World, kind: str) -> None:
    """A job may put anything where its log and its metrics are."""
    number = world.running()
    folder = world.log(number, "x").parent
    secret = world.folder / "secret.jsonl"
    secret.write_text('{"secret": 1}\n')
    for name in ("log.txt", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)
        match kind:
            case "pipe":
                os.mkfifo(folder / name)
            case "link":
                (folder / name).symlink_to(secret)
            case _:
                (folder / name).mkdir()
    assert newest_report(folder / "metrics.jsonl") is None
    for path in ("logs", "logs?tail=3"):
        answer = world.client.get(f"/v1/jobs/{number}/{path}")
        assert (answer.status_code, answer.content) == (200, b""), path
    for path in ("metrics", "metrics?tail=1"):
        (attempt,) = world.client.get(f"/v1/jobs/{number}/{path}").json()["attempts"]
        assert attempt["lines"] == [], path
    world.finish(number)
    assert [event.event for event in follow(world, number)] == ["end"]


def test_artifacts_are_listed_and_fetched(world: World) -> None:
    number = world.running()
    nothing = world.client.get(f"/v1/jobs/{number}/artifacts").json()
    assert nothing == {"artifacts": [], "pruned_at": None}
    world.artifact(number, "model.pt", b"\0" * 3000)
    world.artifact(number, "plots/größe 1.png", b"png")
    world.artifact(number, "predictions.jsonl", b"{}\n")
    listed = world.client.get(f"/v1/jobs/{number}/artifacts").json()["artifacts"]
    assert [(file["name"], file["size"], file["media_type"]) for file in listed] == [
        ("model.pt", 3000, "application/octet-stream"),
        ("plots/größe 1.png", 3, "image/png"),
        ("predictions.jsonl", 3, "application/jsonl"),
    ]
    model = world.client.get(
        f"/v1/jobs/{number}/artifacts/model.pt", headers={"Range": "bytes=0-9"}
    )
    assert (model.status_code, len(model.content)) == (206, 10)
    plot = world.client.get(f"/v1/jobs/{number}/artifacts/plots/größe 1.png")
    assert plot.content == b"png"
    assert plot.headers["Content-Type"] == "image/png"
    assert plot.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "../../../token",
        "%2e%2e/%2e%2e/%2e%2e/token",
        "..%2f..%2f..%2ftoken",
        "inner/../../attempt-1/log.txt",
        "%2fetc/passwd",
        "/etc/passwd",
        "./model.pt",
        "inner//model.pt",
        "inner",
        "inner/",
        "",
        "model.pt/x",
        "model.pt%00",
        "link.pt",
        "linked/token",
        "pipe",
        "x" * 5000,
        "%ff",
    ],
)
def test_no_name_leads_out_of_the_artifacts(world: World, name: str) -> None:
    """Sent as it stands, for clients tidy paths up."""
    number = world.running()
    world.log(number, "secret")
    world.artifact(number, "model.pt")
    world.artifact(number, "inner/model.pt")
    folder = world.service.folders.artifacts(number)
    (folder / "link.pt").symlink_to(world.folder / "token")
    (folder / "linked").symlink_to(world.folder, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    head = (
        f"GET /v1/jobs/{number}/artifacts/{name} HTTP/1.1\nHost: localhost\n"
        f"Authorization: Bearer {world.token}\nConnection: close"
    )
    status, body = world.raw(head)
    assert status == 404, body
    assert world.token.encode() not in body
    assert json.loads(body)["code"] == "not-found"
    listed = world.client.get(f"/v1/jobs/{number}/artifacts").json()["artifacts"]
    assert [file["name"] for file in listed] == ["inner/model.pt", "model.pt"]
