"""Who hears of a job, over failures of the receiver and of the service."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from scheduler import settings
from scheduler.domain.errors import InputError
from scheduler.domain.notifications import Notify, Occasion
from scheduler.service.notifications import channels
from scheduler.service.notifications.channels import Channels, DeliveryError, MailServer
from scheduler.testing.samples import job_spec
from tests.service.conftest import Build
from tests.support.service_worlds import World


class Receiver:
    """A webhook on this machine that keeps what it gets."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """Statuses of the next answers; then 200."""
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.got.append(({**self.headers}, body))
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", receiver.url + "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


def options(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"notifications": {"webhooks": [receiver.url], "secret": "s3cret", **more}}


def told(receiver: Receiver, *on: Occasion) -> Any:
    return job_spec(name="net", notify=Notify((receiver.url,), on or tuple(Occasion)))


@pytest.fixture
def world(build: Build, receiver: Receiver) -> World:
    found = build(**options(receiver))
    found.service.notifier.look()
    return found


def test_the_end_of_a_job_is_told_and_signed(world: World, receiver: Receiver) -> None:
    (job,) = world.submit(told(receiver))
    (other,) = world.submit(job_spec())
    world.finish(f"{job.id}.1")
    world.finish(f"{other.id}.1")
    world.service.notifier.look()
    ((headers, body),) = receiver.got
    message = json.loads(body)
    assert message["event"] == "job.succeeded"
    assert message["text"].startswith(f"job {job.id} (net) succeeded")
    assert message["job"]["state"] == "SUCCEEDED"
    assert headers["Fulcrum-Delivery"] == message["id"]
    time, _, digest = headers["Fulcrum-Signature"].partition(",v1=")
    signed = time.removeprefix("t=").encode() + b"." + body
    assert digest == hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    world.service.notifier.look()
    assert len(receiver.got) == 1


def test_only_the_occasions_that_a_job_names_are_told(world: World, receiver: Receiver) -> None:
    done, lost, stopped = world.submit(
        told(receiver, Occasion.FAILED), told(receiver, Occasion.LOST), told(receiver)
    )
    world.finish(f"{done.id}.1")
    world.lose(f"{lost.id}.1")
    world.cancel(stopped.id, "no longer needed")
    world.service.notifier.look()
    assert [one["event"] for one in receiver.messages] == ["job.lost", "job.cancelled"]


def test_everybody_of_the_settings_hears_of_all_jobs(build: Build, receiver: Receiver) -> None:
    world = build(**options(receiver, to=[receiver.url], on=["failed"]))
    world.service.notifier.look()
    good, bad = world.submit(job_spec(), job_spec())
    world.finish(f"{good.id}.1")
    world.fail(f"{bad.id}.1")
    world.service.notifier.look()
    assert [one["job"]["id"] for one in receiver.messages] == [bad.id]


def test_a_message_is_tried_again_with_growing_pauses_and_given_up_at_last(
    world: World, receiver: Receiver
) -> None:
    (job,) = world.submit(told(receiver))
    world.finish(f"{job.id}.1")
    receiver.answers = [500, 307, 404]
    world.service.notifier.look()
    for tries, pause in enumerate((5, 10, 20), 1):
        world.clock.advance(pause - 1)
        world.service.notifier.look()
        assert len(receiver.got) == tries
        world.clock.advance(1)
        world.service.notifier.look()
    assert len(receiver.got) == 4
    assert len({one["id"] for one in receiver.messages}) == 1

    (job,) = world.submit(told(receiver))
    world.finish(f"{job.id}.1")
    receiver.answers = [500] * 100
    for _ in range(60):
        world.service.notifier.look()
        world.clock.advance(3600)
    assert world.service.notifier.outbox.read(0.0).pending == ()


@pytest.mark.parametrize("receives", [False, True])
def test_nothing_is_lost_or_told_twice_over_a_restart(
    world: World, receiver: Receiver, receives: bool
) -> None:
    (job,) = world.submit(told(receiver))
    world.finish(f"{job.id}.1")
    receiver.answers = [] if receives else [500]
    world.service.notifier.look()
    world.restart(**options(receiver))
    world.clock.advance(3600)
    world.service.notifier.look()
    world.service.notifier.look()
    assert len(receiver.got) == (1 if receives else 2)
    (other,) = world.submit(told(receiver))
    world.finish(f"{other.id}.1")
    world.restart(**options(receiver))  # before anybody looked
    world.service.notifier.look()
    assert receiver.messages[-1]["job"]["id"] == other.id


def test_what_happened_before_notifications_were_set_up_is_not_told(
    build: Build, receiver: Receiver
) -> None:
    world = build()
    (job,) = world.submit()
    world.finish(f"{job.id}.1")
    world.clock.advance(60)
    world.restart(**options(receiver, to=[receiver.url]))
    world.service.notifier.look()
    assert receiver.got == []


def test_a_budget_that_is_nearly_spent_is_told_once(world: World, receiver: Receiver) -> None:
    spec = job_spec(budget=0.1, notify=Notify((receiver.url,), (Occasion.BUDGET,)))
    (job,) = world.submit(spec)
    world.settle()
    for _ in range(5):
        world.clock.advance(20 * 60)
        world.service.notifier.look()
    assert [one["event"] for one in receiver.messages] == ["job.budget"]
    assert f"job {job.id} has spent $0.1" in receiver.messages[0]["text"]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://hooks.example.org/fulcrum", True),
        ("https://hooks.example.org/fulcrum/team", True),
        ("https://hooks.example.org/fulcrum2", False),
        ("https://hooks.example.org/fulcrum/../admin", False),
        ("http://hooks.example.org/fulcrum", False),
        ("https://hooks.example.org:444/fulcrum", False),
        ("https://hooks.example.org.evil.net/fulcrum", False),
        ("https://hooks.example.org@evil.net/fulcrum", False),
        ("https://x@hooks.example.org/fulcrum", False),
        ("ada@example.org", True),
        ("ada@Example.org", True),
        ("ada@evil.example.org", False),
    ],
)
def test_messages_go_only_where_the_settings_allow_it(address: str, allowed: bool) -> None:
    mail = MailServer("localhost", sender="f@example.org")
    given = Channels(("https://hooks.example.org/fulcrum",), "s", mail, ("example.org",))
    if allowed:
        given.check(Notify((address,)), "notify.to")
        return
    with pytest.raises(InputError, match="may not go to") as error:
        given.check(Notify((address,)), "notify.to")
    assert "@example.org" in error.value.fields["notify.to"]
    with pytest.raises(DeliveryError):
        given.send(address, {"id": "x"})


def test_a_job_that_names_another_address_is_refused(world: World) -> None:
    spec = job_spec(notify=Notify(("https://elsewhere.example.org",)))
    with pytest.raises(InputError) as error:
        world.service.jobs.submit([spec], actor="ann")
    assert set(error.value.fields) == {"notify.to"}


def test_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    class Server:
        def __init__(self, host: str, port: int, timeout: float) -> None:
            sent.append((host, port))

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def starttls(self, context: object) -> None:
            sent.append("tls")

        def login(self, user: str, password: str) -> None:
            sent.append((user, password))

        def send_message(self, mail: Any) -> None:
            sent.append(mail)

    monkeypatch.setattr(channels.smtplib, "SMTP", Server)
    server = MailServer("mail.example.org", user="u", password="p", sender="f@example.org")
    given = Channels(mail=server, mail_domains=("example.org",))
    message = {"id": "1", "text": "job 3 (a\nb) failed", "time": "now", "job": {"id": 3}}
    given.send("ada@example.org", message)
    assert sent[:3] == [("mail.example.org", 587), "tls", ("u", "p")]
    assert sent[3]["Subject"] == "[Fulcrum] job 3 (a b) failed"
    assert (sent[3]["To"], sent[3]["From"]) == ("ada@example.org", "f@example.org")
    assert "id: 3" in sent[3].get_content()

    def refuse(*_: object) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(Server, "send_message", refuse)
    with pytest.raises(DeliveryError, match="gone"):
        given.send("ada@example.org", message)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"webhooks": ["https://a.org"]}, "need a secret"),
        ({"webhooks": ["ftp://a.org"], "secret": "x"}, "webhooks"),
        ({"mail_domains": ["a.org"]}, "smtp"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        settings.load(overrides={"notifications": given})
