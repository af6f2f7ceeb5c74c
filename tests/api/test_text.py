"""Text that cannot be stored is refused with its field; text stored already does no harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from scheduler.store.sql.store import SqlStore
from tests.api.bad_submissions import batch, command, infer, train
from tests.api.conftest import World, serving

HALF = "\ud83d"
ZERO = "a\0b"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("text")
    with serving(folder / "data", SqlStore(f"sqlite:///{folder / 'jobs.sqlite'}")) as world:
        world.running()
        yield world


def places(odd: str) -> Iterator[tuple[str, str, str, Any]]:
    """(method, path, field, body) of each place that takes text."""
    submit = ("POST", "/v1/jobs")
    yield *submit, "name", command(name=odd)
    yield *submit, "project", command(project=odd)
    yield *submit, "devices.0", command(devices=[odd])
    yield *submit, "deadline", command(deadline=odd)
    yield *submit, "after.0", command(after=[odd])
    yield *submit, "work.argv.1", command(work={"argv": ["echo", odd]})
    yield *submit, "work.env.A", command(work={"argv": ["true"], "env": {"A": odd}})
    yield *submit, "work.cwd", command(work={"argv": ["true"], "cwd": odd})
    yield *submit, "work.dataset", train(dataset=f"folder:/{odd}")
    yield *submit, "work.weights", train(model="resnet18", weights=odd)
    yield *submit, "work.models.0", infer(models=[odd])
    yield *submit, "work.classes.0", infer(weights=["w.pt"], classes=[odd])
    yield *submit, "work.data", infer(models=[1], data=f"folder:/{odd}")
    yield "POST", "/v1/jobs/plan", "work.argv.0", command(work={"argv": [odd]})
    yield "POST", "/v1/jobs:batch", "jobs.0.work.argv.0", batch(command(work={"argv": [odd]}))
    yield "POST", "/v1/jobs/1/cancel", "reason", {"reason": odd}
    yield "PATCH", "/v1/jobs/1", "deadline", {"deadline": odd}
    yield "PUT", "/v1/policies/active", "name", {"name": odd}
    yield "PUT", "/v1/policies/active", "mode", {"name": "sjf", "mode": odd}
    yield "PUT", "/v1/policies/shadow", "name", {"name": odd}
    yield "POST", "/v1/policies/fit", "name", {"name": odd}


@pytest.mark.parametrize("odd", [HALF, ZERO], ids=["half-a-character", "zero-byte"])
def test_it_is_refused_wherever_it_stands(served: World, odd: str) -> None:
    for method, path, field, body in places(odd):
        before = served.trace()
        answer = served.client.request(
            method, path, content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, (path, field, answer.text)
        assert field in {error["field"] for error in answer.json()["errors"]}, (field, answer.text)
        assert served.trace() == before


@pytest.mark.parametrize("name", ["user", "project", "name"])
def test_a_filter_with_a_zero_byte_is_refused(served: World, name: str) -> None:
    answer = served.client.get("/v1/jobs", params={name: ZERO})
    assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize("name", ["日本語 👩‍👩‍👧", "a\N{NO-BREAK SPACE}b", "ünïcode"])
def test_whole_characters_are_kept(served: World, name: str) -> None:
    number = served.submit(name=name, work={"argv": ["echo", name]})
    job = served.client.get(f"/v1/jobs/{number}").json()
    assert (job["name"], job["work"]["argv"][1]) == (name, name)


def test_a_path_that_cannot_be_looked_at_is_named(served: World) -> None:
    long = f"/tmp/{'x' * 300}"
    cases = {
        "work.cwd": command(work={"argv": ["true"], "cwd": long}),
        "work.argv.0": command(work={"argv": [f"{long}/true"]}),
        "work.dataset": train(dataset=f"folder:{long}"),
        "work.weights": train(model="resnet18", weights="~nosuchuser/w.pt"),
        "work.models.0": infer(models=[long]),
        "work.data": infer(models=[1], data="folder:~nosuchuser/images"),
    }
    for field, body in cases.items():
        answer = served.client.post("/v1/jobs", json=body)
        assert answer.status_code == 422, answer.text
        assert field in {error["field"] for error in answer.json()["errors"]}
    answer = served.client.post("/v1/jobs:batch", json=batch(infer(models=["m" * 300])))
    assert answer.status_code == 422, answer.text


def test_a_job_stored_before_harms_no_listing_and_can_be_cancelled(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    store = SqlStore(f"sqlite:///{file}")
    with serving(tmp_path / "data", store) as world:
        number = world.running(work={"argv": ["echo", "ODD"]})
        engine = create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            change = text("UPDATE jobs SET spec = replace(spec, 'ODD', '\\ud83d')")
            connection.execute(change)
        engine.dispose()
        for path in ("", "?state=RUNNING", f"/{number}", f"/{number}/events", f"/{number}/explain"):
            assert world.client.get(f"/v1/jobs{path}").status_code == 200, path
        shown = world.client.get(f"/v1/jobs/{number}").json()
        assert shown["work"]["argv"] == ["echo", "\\ud83d"]
        assert world.client.get("/v1/jobs").json()["jobs"][0]["work"] == shown["work"]
        answer = world.client.post(f"/v1/jobs/{number}/cancel", json={})
        assert answer.status_code == 200, answer.text
        world.until(number, "CANCELLING", "CANCELLED")


def test_what_a_job_writes_is_shown(world: World) -> None:
    number = world.running()
    metrics = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    deep = "[" * 5000 + "]" * 5000
    lines = ['{"kind": "\\ud83d", "\\udcff": 1}', f'{{"a": {deep}}}', '{"b": NaN}', "[1]", '{"c'
             ]  # fmt: skip
    metrics.write_text("\n".join(lines))
    answer = world.client.get(f"/v1/jobs/{number}/metrics")
    assert answer.status_code == 200, answer.text
    (attempt,) = answer.json()["attempts"]
    assert attempt["lines"] == [{"kind": "\\ud83d", "\\udcff": 1}, {"b": None}]
    odd = world.artifact(number, "plain.txt").with_name("odd\udcff.txt")
    odd.write_bytes(b"odd")
    listed = world.client.get(f"/v1/jobs/{number}/artifacts").json()["artifacts"]
    assert [one["name"] for one in listed] == ["odd\\udcff.txt", "plain.txt"]
    fetched = world.client.get(f"/v1/jobs/{number}/artifacts/odd%5Cudcff.txt")
    assert (fetched.status_code, fetched.content) == (200, b"odd")
