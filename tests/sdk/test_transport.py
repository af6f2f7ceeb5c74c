from __future__ import annotations

import traceback

import httpx
import pytest

from api.client import (
    ApiError,
    ConflictError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from tests.support.answers import Service, job, problem


def test_every_request_carries_the_token_and_no_repr_shows_it():
    service = Service([job()])
    client = service.client()
    client.submit(kind="command", work={"argv": ["true"]})
    assert service.requests[0].headers["Authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(client.connection)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed-json", InvalidError),
        (422, "infeasible", InvalidError),
        (401, "unauthorized", UnauthorizedError),
        (403, "forbidden", UnauthorizedError),
        (404, "not-found", NotFoundError),
        (409, "illegal-transition", ConflictError),
        (500, "internal", ApiError),
    ],
)
def test_problem_documents_become_typed_errors(status, code, kind):
    client = Service([problem(status, code, "bad width", width="a whole number ≥ 1")]).client()
    with pytest.raises(kind) as caught:
        client.job(1)
    error = caught.value
    assert (error.status, error.code, str(error)) == (status, code, "bad width")
    assert error.fields == {"width": "a whole number ≥ 1"}


def test_an_error_that_is_no_problem_document_is_told_by_its_status():
    client = Service([httpx.Response(404, text="<html>")]).client()
    with pytest.raises(NotFoundError, match="404") as caught:
        client.job(1)
    assert caught.value.code == "http-404"


def test_a_submission_is_repeated_with_one_and_the_same_key():
    service = Service([httpx.ReadError("lost"), problem(503, "unavailable"), job()])
    assert service.client().submit(kind="command", work={"argv": ["true"]}).id == 17
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(service.requests) == 3
    assert len(keys) == 1


def test_two_submissions_have_two_keys():
    service = Service([job(), job()])
    client = service.client()
    for _ in range(2):
        client.submit(kind="command", work={"argv": ["true"]})
    first, second = (request.headers["Idempotency-Key"] for request in service.requests)
    assert first != second


def test_a_request_that_may_have_been_carried_out_is_not_repeated():
    service = Service([job(), httpx.ReadError("lost"), job()])
    handle = service.client().submit(kind="command")
    with pytest.raises(UnreachableError):
        handle.cancel()
    assert len(service.requests) == 2


def test_a_safe_request_is_repeated():
    service = Service([httpx.ReadTimeout("slow"), {"jobs": [], "next_cursor": None}])
    assert list(service.client().jobs()) == []


def test_a_service_never_reached_is_not_waited_for():
    service = Service([httpx.ConnectError("refused")])
    with pytest.raises(UnreachableError, match="no service answers at http://test"):
        service.client().job(1)
    assert len(service.requests) == 1


def test_a_service_that_restarts_is_waited_for():
    service = Service([job(), httpx.ConnectError("refused"), httpx.ConnectError("refused"), job()])
    handle = service.client().submit(kind="command")
    assert handle.cancel().id == 17


def test_retries_end():
    service = Service([httpx.ReadError("lost")] * 50)
    with pytest.raises(UnreachableError):
        service.client().job(1)
    assert 1 < len(service.requests) < 50


def test_an_unavailable_service_is_told_in_the_end():
    service = Service([problem(503, "unavailable", "starting")] * 50)
    with pytest.raises(UnavailableError, match="starting"):
        service.client().cluster()


@pytest.mark.parametrize(
    "call", [lambda client: client.cluster(), lambda client: list(client.job(1).logs())]
)
def test_an_error_is_told_without_those_that_caused_it(call):
    for answer, kind in ((httpx.ConnectError("refused"), UnreachableError),
                         (problem(404, "not-found"), NotFoundError)):  # fmt: skip
        with pytest.raises(kind) as caught:
            call(Service([answer] * 20).client())
        text = "".join(traceback.format_exception(caught.value))
        assert text.count("Traceback") == 1
        assert "tenacity" not in text
        assert "httpx" not in text
