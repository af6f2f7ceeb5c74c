"""Whatever is sent: never an internal error, never a trace of what was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.http.openapi import bodies
from tests.api.conftest import World, serving

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, 10**30])
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["", "\0", "\ud800", "17", "²", "1..2", "fast", "+1h", "2GiB", "cnn-train"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
GOOD = [example["value"] for example in bodies.JOBS.values()] + [
    example["value"] for example in bodies.BATCHES.values()
]
FIELDS = (
    "kind", "work", "name", "project", "devices", "width", "memory", "priority", "preference",
    "deadline", "budget", "after", "retry", "max_duration", "jobs", "\ud800",
)  # fmt: skip
WORK = (
    "model", "weights", "dataset", "epochs", "learning_rate", "augmentation", "image_size", "seed",
    "models", "data", "classes", "argv", "env", "cwd", "batch_size", "limit",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("never") / "data") as world:
        yield world


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """A good body with a few values replaced, or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    body = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    jobs = body.get("jobs", [body])
    job = draw(st.sampled_from(jobs))
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()) and isinstance(job.get("work"), dict):
            job["work"][draw(st.sampled_from(WORK))] = draw(VALUES)
        else:
            job[draw(st.sampled_from(FIELDS))] = draw(VALUES)
    return body


@settings(max_examples=80)
@given(body=bodies(), path=st.sampled_from(["/v1/jobs", "/v1/jobs:batch", "/v1/jobs/plan"]))
def test_no_body_breaks_the_service(served: World, body: Any, path: str) -> None:
    before = served.trace()
    answer = served.client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 201, 400, 422), answer.text
    accepted = answer.status_code == 201
    assert (served.trace() != before) == accepted
    if answer.status_code >= 400:
        assert answer.json()["code"] in ("malformed-json", "bad-request", "invalid", "infeasible")


@settings(max_examples=40)
@given(
    content=st.binary(max_size=60)
    | st.sampled_from([b"[" * 100_000, b"9" * 5000, b"\xef\xbb\xbf{}"])
)
def test_no_bytes_break_the_service(served: World, content: bytes) -> None:
    before = served.trace()
    headers = {"Content-Type": "application/json"}
    answer = served.client.post("/v1/jobs", content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert served.trace() == before


@settings(max_examples=60)
@given(
    path=st.sampled_from(["/v1/jobs", "/v1/jobs/1", "/v1/jobs/1/logs", "/v1/events", "/v1/costs",
                          "/v1/jobs/1/metrics", "/v1/estimates", "/v1/jobs/1/artifacts/x"]),
    name=st.sampled_from(["cursor", "state", "limit", "after", "attempt", "tail", "since", "by",
                          "wait_s", "version", "submitted_to", "name", "user", "x"]),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["-1", "0", "nan", "inf", "1e400", str(10**30), "9999-12-31T23:59:59Z",
                       "0001-01-01T00:00:00Z", "-9999-01-01T00:00:00+14:00"]),
)  # fmt: skip
def test_no_parameter_breaks_the_service(served: World, path: str, name: str, value: str) -> None:
    if name == "wait_s":
        value = value.replace("inf", "x")
    answer = served.client.get(path, params={name: value})
    assert answer.status_code in (200, 404, 422), answer.text
