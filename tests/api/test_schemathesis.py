"""The service does what its own document says: requests drawn from it, valid and not.

A finding is an answer with a status 5xx, an undocumented status, another content type or schema
than documented, or a method that is taken where none is documented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from scheduler.store.sql.store import SqlStore
from tests.api.conftest import World, serving

CASES = 330
"""Of each operation; all together at least `BAR`."""
BAR = 9_000
CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
sent: list[str] = []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("drawn")
    with serving(folder / "data", SqlStore(f"sqlite:///{folder / 'jobs.sqlite'}")) as world:
        number = world.running()
        world.log(number, "one\ntwo\n")
        world.artifact(number, "model.pt")
        world.finish(number)
        yield world


@pytest.fixture(scope="module")
def document(served: World) -> Any:
    return schemathesis.openapi.from_dict(served.client.get("/openapi.json").json())


drawn = schemathesis.pytest.from_fixture("document")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@drawn.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
def test_every_operation_does_as_documented(case: schemathesis.Case, served: World) -> None:
    # Waiting and following are what they say: only their length would be tested here.
    for name in ("wait_s", "follow"):
        (case.query or {}).pop(name, None)
    sent.append(case.operation.label)
    case.call_and_validate(
        base_url=served.url,
        headers={"Authorization": f"Bearer {served.token}"},
        checks=CHECKS,
    )


@pytest.mark.slow
def test_there_were_enough(served: World) -> None:
    """Runs behind the others: pytest keeps the order of a file."""
    assert len(sent) >= BAR or len(sent) == 0
    served.service.ready()
