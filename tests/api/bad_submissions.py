"""Bad requests as data: what is sent, and the status, code and field of the answer.

`python -m tests.api.bad_submissions` sends them to a service of its own and prints the answers.
Before them, job 1 has ended (a command) and job 2 runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.api.conftest import COMMAND, World, serving

JOBS, BATCH = "/v1/jobs", "/v1/jobs:batch"
LIMIT = 4 * 1024**2
NOWHERE = "/nowhere/at/all"


@dataclass(frozen=True)
class Bad:
    """One bad request."""

    name: str
    status: int
    code: str
    fields: tuple[str, ...] = ()
    """That the answer must name, all of them."""
    body: Any = None
    """JSON value, or bytes sent as they are."""
    path: str = JOBS
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = "right"
    """`right`, another text, or None for no header."""
    chunked: bool = False
    """Sent without a Content-Length."""


def command(**fields: Any) -> dict[str, Any]:
    """A good job but for `fields`."""
    return {**COMMAND, **fields}


def train(**work: Any) -> dict[str, Any]:
    return {"kind": "cnn-train", "work": work}


def infer(**work: Any) -> dict[str, Any]:
    return {"kind": "cnn-infer", "work": work}


def batch(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"jobs": list(jobs)}


def named(name: str, *after: str) -> dict[str, Any]:
    return command(name=name, after=list(after))


def invalid(name: str, body: Any, *fields: str, **more: Any) -> Bad:
    return Bad(name, 422, "invalid", fields, body, **more)


def unknown_job(name: str, body: Any, field: str, **more: Any) -> Bad:
    return Bad(name, 422, "unknown-job", (field,), body, **more)


BAD = (
    invalid("unknown kind, and a bad width beside it", command(kind="cnn-trian", width=0),
            "kind", "width"),
    invalid("no kind", {"work": {"argv": ["true"]}}, "kind"),
    invalid("no work", {"kind": "command"}, "work"),
    invalid("unknown model", train(model="resnet19"), "work.model"),
    invalid("unknown dataset", train(dataset="mnist2"), "work.dataset"),
    invalid("missing folder", train(dataset=f"folder:{NOWHERE}"), "work.dataset"),
    invalid("missing weights", train(model="resnet18", weights=f"{NOWHERE}.pt"), "work.weights"),
    invalid("missing program", command(work={"argv": [f"{NOWHERE}/x"]}), "work.argv.0"),
    invalid("missing working directory", command(work={"argv": ["true"], "cwd": NOWHERE}),
            "work.cwd"),
    invalid("zero epochs and a negative rate", train(epochs=0, learning_rate=-1), "work.epochs",
            "work.learning_rate"),
    invalid("misspelt field of the work", train(epoch=3), "work.epoch"),
    invalid("misspelt field of the job", command(prioritty=3), "prioritty"),
    invalid("misspelt field of the augmentation", train(augmentation={"flp": True}),
            "work.augmentation.flp"),
    invalid("width 0", command(width=0), "width"),
    invalid("width upside down", command(width="4..2"), "width"),
    invalid("width true", command(width=True), "width"),
    invalid("no device", command(devices=[]), "devices"),
    invalid("memory without sense", command(memory="2 apples"), "memory"),
    invalid("negative memory", command(memory=-1), "memory"),
    invalid("priority 101", command(priority=101), "priority"),
    invalid("priority as text", command(priority="high"), "priority"),
    invalid("preference beyond fastest", command(preference=1.5), "preference"),
    invalid("unknown preference", command(preference="quick"), "preference"),
    invalid("deadline in the past", command(deadline="2020-01-01T00:00:00Z"), "deadline"),
    invalid("deadline now", command(deadline="+0s"), "deadline"),
    invalid("deadline without zone", command(deadline="2999-01-01T00:00:00"), "deadline"),
    invalid("deadline in words", command(deadline="tomorrow"), "deadline"),
    invalid("negative budget", command(budget=-0.5), "budget"),
    Bad("budget NaN", 422, "invalid", ("budget",), b'{"kind":"command","budget":NaN,'
        b'"work":{"argv":["true"]}}'),
    Bad("learning rate Infinity", 422, "invalid", ("work.learning_rate",),
        b'{"kind":"cnn-train","work":{"learning_rate":Infinity}}'),
    invalid("duration 0", command(max_duration=0), "max_duration"),
    invalid("duration in fortnights", command(max_duration="1fortnight"), "max_duration"),
    invalid("no attempt at all", command(retry={"max_attempts": 0}), "retry.max_attempts"),
    invalid("project with a slash", command(project="a/b"), "project"),
    invalid("name of 300 characters", command(name="x" * 300), "name"),
    invalid("name with a control character", command(name="a\x1b[31m"), "name"),
    unknown_job("unknown job in after", command(after=[1, 99]), "after.1"),
    invalid("impossible job in after", command(after=[10**30]), "after.0"),
    unknown_job("a name in after outside a batch", command(after=["train"]), "after.0"),
    unknown_job("unknown job as a model", infer(models=[99]), "work.models.0"),
    unknown_job("huge number as a model", infer(models=[10**30]), "work.models.0"),
    invalid("a command job as a model", infer(models=[1]), "work.models.0"),
    invalid("inference without a model", infer(), "work.weights"),
    invalid("a job that is a list", [COMMAND], "body"),
    invalid("a job that is a text", "train", "body"),
    invalid("wrong types all over",
            command(name=3, width=[1], after={"x": 1}, budget="cheap", work={"argv": "true"}),
            "name", "width", "after", "budget", "work.argv"),
    Bad("too many devices", 422, "infeasible", ("width",), command(width=64)),
    Bad("a device that is not here", 422, "infeasible", ("devices",), command(devices=["cuda"])),
    Bad("more memory than there is", 422, "infeasible", ("memory",), command(memory="1TiB")),
    Bad("budget below any placement", 422, "infeasible", ("budget",), command(budget=1e-9)),
    Bad("malformed JSON", 400, "malformed-json", (), b'{"kind": "command",'),
    Bad("not UTF-8", 400, "bad-request", (), b'{"kind": "\xff"}'),
    invalid("empty body", b"", "body"),
    Bad("10 MB body", 413, "too-large", ("body",), b" " * 10_000_000),
    Bad("10 MB body without its length", 413, "too-large", ("body",), b" " * 10_000_000,
        chunked=True),
    Bad("form instead of JSON", 415, "unsupported-media-type", ("Content-Type",), b"kind=command",
        headers={"Content-Type": "application/x-www-form-urlencoded"}),
    Bad("no token", 401, "unauthorized", ("Authorization",), COMMAND, token=None),
    Bad("wrong token", 401, "unauthorized", ("Authorization",), COMMAND, token="wrong"),
    invalid("idempotency key with a space", COMMAND, "Idempotency-Key",
            headers={"Idempotency-Key": "a b"}),
    invalid("idempotency key of 300 characters", COMMAND, "Idempotency-Key",
            headers={"Idempotency-Key": "k" * 300}),
    Bad("used idempotency key, other body", 409, "conflict", ("Idempotency-Key",),
        command(priority=1), headers={"Idempotency-Key": "used"}),
    invalid("unknown parameter", COMMAND, "dry_run", path=f"{JOBS}?dry_run=1"),
    invalid("batch: empty", batch(), "jobs", path=BATCH),
    invalid("batch: one job of two is bad", batch(COMMAND, command(width=0, budget=-1)),
            "jobs.1.width", "jobs.1.budget", path=BATCH),
    invalid("batch: cycle", batch(named("a", "b"), named("b", "c"), named("c", "a"), named("d")),
            "jobs.0.after", "jobs.1.after", "jobs.2.after", path=BATCH),
    invalid("batch: waits for itself", batch(named("a", "a")), "jobs.0.after", path=BATCH),
    unknown_job("batch: unknown name", batch(named("a"), named("b", "z")), "jobs.1.after.0",
            path=BATCH),
    invalid("batch: a name that two have", batch(named("a"), named("a"), named("b", "a")),
            "jobs.2.after.0", path=BATCH),
    invalid("batch: a command's model", batch(named("a"), infer(models=["a"])),
            "jobs.1.work.models.0", path=BATCH),
    unknown_job("batch: an unknown model", batch(named("a"), infer(models=["zz"])),
            "jobs.1.work.models.0", path=BATCH),
    invalid("batch: unknown name, missing folder and past deadline at once",
            batch(named("a", "z"), train(dataset=f"folder:{NOWHERE}"),
                  command(deadline="2020-01-01T00:00:00Z")),
            "jobs.0.after.0", "jobs.1.work.dataset", "jobs.2.deadline", path=BATCH),
    Bad("batch: one job that nothing fits", 422, "infeasible", ("jobs.0.width",),
        batch({**named("last", "first"), "width": 64}, named("first")), path=BATCH),
    Bad("batch: alone and infeasible", 422, "infeasible", ("jobs.0.width",),
        batch(command(width=64)), path=BATCH),
    Bad("plan: infeasible", 422, "infeasible", ("width",), command(width=64), f"{JOBS}/plan"),
    Bad("cancel: ended job", 409, "illegal-transition", ("state",), {}, f"{JOBS}/1/cancel"),
    Bad("cancel: unknown job", 404, "not-found", (), {}, f"{JOBS}/99/cancel"),
    Bad("retry: running job", 409, "illegal-transition", ("state",), None, f"{JOBS}/2/retry"),
    Bad("retry: unknown job", 404, "not-found", (), None, f"{JOBS}/99/retry"),
    Bad("show: unknown job", 404, "not-found", (), None, f"{JOBS}/99", "GET"),
    Bad("show: no number", 404, "not-found", (), None, f"{JOBS}/abc", "GET"),
    Bad("plan: wrong method", 405, "method-not-allowed", (), {"priority": 1}, f"{JOBS}/plan",
        "PATCH"),
    Bad("show: number beyond all", 422, "invalid", ("job_id",), None, f"{JOBS}/{10**30}", "GET"),
    Bad("list: bad cursor", 422, "invalid", ("cursor",), None, f"{JOBS}?cursor=zzz", "GET"),
    Bad("list: bad state", 422, "invalid", ("state",), None, f"{JOBS}?state=DONE", "GET"),
    Bad("list: bad limit", 422, "invalid", ("limit",), None, f"{JOBS}?limit=0", "GET"),
    Bad("list: misspelt filter", 422, "invalid", ("sate",), None, f"{JOBS}?sate=RUNNING", "GET"),
    Bad("list: time without zone", 422, "invalid", ("submitted_from",), None,
        f"{JOBS}?submitted_from=2020-01-01T00:00:00", "GET"),
    Bad("logs: no such attempt", 404, "not-found", ("attempt",), None,
        f"{JOBS}/2/logs?attempt=7", "GET"),
    Bad("logs: bad event id", 422, "invalid", ("Last-Event-ID",), None,
        f"{JOBS}/2/logs?follow=true", "GET", {"Last-Event-ID": "x"}),
    Bad("artifact: path traversal", 404, "not-found", ("name",), None,
        f"{JOBS}/1/artifacts/..%2f..%2f..%2ftoken", "GET"),
    Bad("artifact: absolute path", 404, "not-found", ("name",), None,
        f"{JOBS}/1/artifacts/%2fetc%2fpasswd", "GET"),
    Bad("policy: unknown", 404, "not-found", ("name",), {"name": "best"}, "/v1/policies/active",
        "PUT"),
    Bad("policy: bad mode", 422, "invalid", ("mode",), {"name": "sjf", "mode": "loose"},
        "/v1/policies/active", "PUT"),
    Bad("unknown path", 404, "not-found", (), None, "/v2/jobs", "GET"),
    Bad("wrong method", 405, "method-not-allowed", (), None, JOBS, "DELETE"),
    Bad("foreign host", 400, "untrusted-host", ("Host",), None, JOBS, "GET",
        {"Host": "evil.example"}),
)  # fmt: skip


def prepare(world: World) -> None:
    """What the table takes for granted."""
    done = world.submit()
    world.until(done, "RUNNING")
    world.finish(done)
    world.running()
    headers = {"Idempotency-Key": "used"}
    answer = world.client.post(JOBS, json=command(), headers=headers).raise_for_status()
    # Nothing may happen by itself any more: the table counts events.
    world.until(answer.json()["id"], "RUNNING")


def send(world: World, bad: Bad) -> Any:
    """The answer to it."""
    headers = {"Content-Type": "application/json", **bad.headers}
    if bad.token is None:
        client = world.with_token(None)
    elif bad.token != "right":
        client = world.with_token(bad.token)
    else:
        client = world.client
    content: Any = None
    if isinstance(bad.body, bytes):
        content = _chunks(bad.body) if bad.chunked else bad.body
    elif bad.body is not None:
        content = json.dumps(bad.body).encode()
    return client.request(bad.method, bad.path, content=content, headers=headers)


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


def main() -> int:
    """Print the table; 1 if an answer is not as expected or left a trace."""
    from rich.console import Console
    from rich.table import Table

    table = Table("#", "REQUEST", "STATUS", "CODE", "FIELDS", "DETAIL", "TRACE")
    wrong = 0
    with TemporaryDirectory() as folder, serving(Path(folder) / "data") as world:
        prepare(world)
        for number, bad in enumerate(BAD, start=1):
            before = world.trace()
            answer = send(world, bad)
            problem = answer.json()
            named_fields = [error["field"] for error in problem["errors"]]
            traced = world.trace() != before
            good = answer.status_code == bad.status and set(bad.fields) <= set(named_fields)
            wrong += traced or not good
            table.add_row(
                str(number),
                bad.name,
                str(answer.status_code),
                problem["code"],
                ", ".join(named_fields),
                problem["detail"][:100],
                "YES" if traced else "none",
                style=None if good and not traced else "red",
            )
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(f"{len(BAD)} bad requests, {wrong} answered otherwise than they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
