"""Every bad request is refused with its clear problem document, and leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.http.errors.problems import MEDIA_TYPE, STATUS, TITLES
from scheduler.store.sql.store import SqlStore
from tests.api.bad_submissions import BAD, Bad, prepare, send
from tests.api.conftest import World, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bad")
    with serving(folder / "data", SqlStore(f"sqlite:///{folder / 'jobs.sqlite'}")) as world:
        prepare(world)
        yield world


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name.replace(" ", "-"))
def test_a_bad_request_is_refused_and_leaves_no_trace(served: World, bad: Bad) -> None:
    before = served.trace()
    answer = send(served, bad)
    assert answer.status_code == bad.status, answer.text
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    problem = answer.json()
    assert problem["code"] == bad.code
    assert problem["status"] == bad.status == STATUS[bad.code]
    assert problem["type"] == f"/problems/{bad.code}"
    assert problem["title"] == TITLES[bad.code]
    assert problem["detail"]
    named = {error["field"]: error["message"] for error in problem["errors"]}
    assert set(bad.fields) <= set(named)
    assert all(named.values())
    assert served.trace() == before


def test_there_are_enough() -> None:
    assert len(BAD) >= 30
    assert len({bad.name for bad in BAD}) == len(BAD)


def test_a_message_says_what_is_legal(served: World) -> None:
    def message(field: str, body: object) -> str:
        errors = served.client.post("/v1/jobs", json=body).json()["errors"]
        return str({error["field"]: error["message"] for error in errors}[field])

    assert "did you mean 'cnn-train'?" in message("kind", {"kind": "cnn-trian"})
    assert "did you mean 'epochs'?" in message(
        "work.epoch", {"kind": "cnn-train", "work": {"epoch": 1}}
    )
    assert "resnet18" in message("work.model", {"kind": "cnn-train", "work": {"model": "x"}})
    typo = message("prio", {"kind": "command", "work": {"argv": ["true"]}, "prio": 1})
    assert "priority" in typo
