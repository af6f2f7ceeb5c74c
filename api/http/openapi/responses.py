"""Responses in the OpenAPI document: each endpoint's answer and the problems it may have."""

from __future__ import annotations

from typing import Any

from api.http.errors.problems import MEDIA_TYPE, STATUS, TITLES
from api.http.openapi.answers import ANSWERS
from api.http.openapi.sweep_answers import SWEEP_ANSWERS

Responses = dict[int | str, dict[str, Any]]
_EXAMPLES = ANSWERS | SWEEP_ANSWERS

_BINARY: dict[str, Any] = {
    "application/octet-stream": {
        "schema": {"type": "string", "format": "binary"},
        "example": "(bytes)",
    }
}
POLICY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "examples": {"exported": {"summary": "An exported policy", "value": "(bytes)"}},
            }
        },
    }
}
"""The body of an import, which FastAPI does not read."""

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ERRORS = {
    400: ("malformed-json", "the body is not JSON at character 12: Expecting value", {}),
    401: ("unauthorized", "the token is missing", {"Authorization": "Bearer TOKEN"}),
    403: ("forbidden", "job 17 belongs to ada", {}),
    404: ("not-found", "there is no job 17", {}),
    408: ("too-slow", "the body did not arrive within 60 s", {}),
    409: ("conflict", "the key 'k' was used for another request",
          {"Idempotency-Key": "a new key, or the same request again"}),
    413: ("too-large", "the body is larger than 4194304 bytes", {"body": "at most 4194304 bytes"}),
    415: ("unsupported-media-type", "the body must be sent as application/json",
          {"Content-Type": "application/json, not text/plain"}),
    422: ("invalid", "work.epochs: should be at least 1",
          {"work.epochs": "should be at least 1"}),
    500: ("internal", "unexpected error; the service's log has it as 5f1f2c3e8a1b4b53", {}),
    503: ("unavailable", "the service is stopping; submit again later", {}),
}  # fmt: skip


def of(name: str, *errors: int, created: bool = False) -> Responses:
    """The responses of an endpoint: the example called `name`, and problems with these statuses."""
    found: Responses = {
        201 if created else 200: {"content": {"application/json": {"example": name}}}
    }
    if created:
        found[201]["headers"] = {
            "Location": _header("Where the job is."),
            "Idempotency-Replayed": _header("`true` if an earlier request had made it."),
        }
    if name == "page":
        found[200]["headers"] = {"Link": _header("The next page, `rel=next`; absent on the last.")}
    return found | _problems(errors)


def complete(document: dict[str, Any]) -> None:
    """Replace names of examples by the examples: FastAPI would drop every null in them."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json")
                if content is not None:
                    content["example"] = _EXAMPLES[content["example"]].model_dump(mode="json")


def logs(*errors: int) -> Responses:
    """Responses with a log, as text or as a stream."""
    stream = 'data: epoch 1: loss 0.61\nid: 1:21\n\nevent: end\ndata: {"state": "SUCCEEDED"}\n\n'
    text = {"type": "string"}
    event = {"type": "object", "properties": {"data": text, "id": text, "event": text}}
    content = {
        "text/plain": {"schema": text, "example": "epoch 1: loss 0.61\n"},
        "text/event-stream": {"itemSchema": event, "example": stream},
    }
    return {200: {"description": "The log.", "content": content}} | _problems(errors)


def file(*errors: int) -> Responses:
    """Responses with any file, or a part of one."""
    schema = {"type": "string", "format": "binary"}
    content = {"*/*": {"schema": schema, "example": "(bytes)"}}
    found: Responses = {
        200: {"description": "The file, by its own media type.", "content": content},
        206: {"description": "The part that `Range` asks for.", "content": content},
    }
    return found | _problems(errors)


def policy_file(*errors: int) -> Responses:
    """Responses with a policy in one file."""
    return {200: {"description": "The policy's file.", "content": _BINARY}} | _problems(errors)


def prometheus(*errors: int) -> Responses:
    """Responses in Prometheus' text format."""
    content = {"text/plain": {"schema": {"type": "string"}, "example": "fulcrum_queue_depth 3.0\n"}}
    return {200: {"description": "All figures.", "content": content}} | _problems(errors)


def _problems(statuses: tuple[int, ...]) -> Responses:
    slow = (408,) if 413 in statuses else ()  # whatever takes a body
    # An unknown parameter is invalid everywhere.
    return {status: _problem(status) for status in (*statuses, *slow, 422, 500)}


def _problem(status: int) -> dict[str, Any]:
    code, detail, fields = _ERRORS[status]
    example = {
        "type": f"/problems/{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"field": name, "message": text} for name, text in fields.items()],
    }
    codes = ", ".join(f"`{name}`" for name, number in STATUS.items() if number == status)
    return {
        "description": f"{TITLES[code]} ({codes})",
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "example": example}},
    }


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}
