"""The OpenAPI document is complete, its examples and the published schema hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from api.http.errors import problems
from api.http.openapi import bodies
from api.schemas import JOB, JobBatchIn
from api.schemas.document import document, text
from tests.api.conftest import World

ROOT = Path(__file__).resolve().parents[2]


def operations(openapi: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.fixture
def openapi(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.client.get("/openapi.json").json()
    return found


def test_every_operation_is_described(openapi: dict[str, Any]) -> None:
    found = operations(openapi)
    assert len(found) >= 20
    assert len({operation["operationId"] for _, operation in found}) == len(found)
    for name, operation in found:
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", []):
            assert "schema" in parameter, name
        if "requestBody" in operation:
            (content,) = operation["requestBody"]["content"].values()
            assert content["examples"], name


def test_every_operation_shows_its_answers_and_problems(openapi: dict[str, Any]) -> None:
    for name, operation in operations(openapi):
        healthy = name in ("GET /healthz", "GET /readyz", "GET /v1/proof")
        asks_nothing = healthy or name in ("GET /v1/session", "DELETE /v1/session")
        no_token = asks_nothing or name == "POST /v1/session"
        assert "500" in operation["responses"], name
        assert ("401" in operation["responses"]) != asks_nothing, name
        assert operation.get("security") == ([] if no_token else None), name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            for media_type, content in response["content"].items():
                assert "example" in content, (name, status)
                if int(status) >= 400:
                    assert media_type == problems.MEDIA_TYPE, (name, status)
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    example = content["example"]
                    assert problems.STATUS[example["code"]] == int(status)
                elif media_type == "application/json":
                    assert "$ref" in content["schema"], (name, status)


def test_examples_of_answers_hold_against_their_schemas(openapi: dict[str, Any]) -> None:
    for _, operation in operations(openapi):
        for response in operation["responses"].values():
            for content in response["content"].values():
                if "$ref" in content.get("schema", {}):
                    schema = {**content["schema"], "components": openapi["components"]}
                    jsonschema.validate(content["example"], schema)
    assert openapi["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_examples_of_jobs_hold() -> None:
    for example in bodies.JOBS.values():
        JOB.validate_python(example["value"])
        jsonschema.validate(example["value"], document())
    for example in bodies.BATCHES.values():
        TypeAdapter(JobBatchIn).validate_python(example["value"])
        jsonschema.validate(example["value"], document())


def test_the_published_schema_of_a_job_is_current() -> None:
    """`python -m api.schemas --write` renews it."""
    assert (ROOT / "docs" / "job.schema.json").read_text(encoding="utf-8") == text()
    jsonschema.Draft202012Validator.check_schema(document())


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "unknown"},
        {"kind": "command"},
        {"kind": "cnn-train", "width": 0},
        {"kind": "cnn-train", "work": {"epoch": 1}},
        {"jobs": []},
        [{"kind": "unknown"}],
    ],
)
def test_the_published_schema_refuses_what_the_service_refuses(bad: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, document())


def test_every_code_is_documented() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for code, status in problems.STATUS.items():
        assert f"| `{code}` | {status} |" in page
    assert set(problems.TITLES) == set(problems.STATUS)


def test_every_path_is_documented(openapi: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name, _ in operations(openapi):
        method, path = name.split()
        assert f"`{method} {path.replace('{job_id}', '{id}')}`" in page, name
