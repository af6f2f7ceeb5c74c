"""The service does what its own document says: requests drawn from it, valid and not.

A finding is an answer with the status 500, an undocumented status, another content type or schema
than documented, or a method that is taken where none is documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from scheduler.store.sql.store import SqlStore
from tests.api.conftest import World, serving

CASES = 300
"""Of each operation, valid ones, and as many others."""
BAR = 9_000


def no_failure(_: object, response: schemathesis.Response, __: schemathesis.Case) -> None:
    """503 is an answer: the service under test has no simulator to replay jobs with."""
    assert response.status_code != 500, response.text


CHECKS = [
    no_failure,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data", SqlStore(f"sqlite:///{tmp_path / 'jobs.sqlite'}")) as world:
        number = world.running()
        world.log(number, "one\ntwo\n")
        world.artifact(number, "model.pt")
        world.finish(number)
        yield world


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_operation_does_as_documented(served: World) -> None:
    document = schemathesis.openapi.from_dict(served.client.get("/openapi.json").json())
    sent, findings = 0, []
    for result in document.get_all_operations():
        operation = result.ok()
        for mode in GenerationMode:

            def send(case: schemathesis.Case) -> None:
                nonlocal sent
                sent += 1
                check(case, served)

            try:
                drawn(send, operation.as_strategy(generation_mode=mode))
            except Unsatisfiable:
                continue  # nothing in it can be wrong
            except (Exception, BaseExceptionGroup) as error:  # all operations are told
                findings.append(f"{operation.label}, {mode.value}: {error}")
    assert not findings, "\n\n".join(findings)
    assert sent >= BAR


def drawn(send: Callable[[schemathesis.Case], None], cases: object) -> None:
    """Send cases until one is a finding."""
    limits = settings(
        max_examples=CASES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    limits(given(cases)(send))()  # type: ignore[arg-type]


def check(case: schemathesis.Case, served: World) -> None:
    """Raises if the answer to the case is a finding."""
    # Waiting and following are what they say: only their length would be tested here.
    for name in ("wait_s", "follow"):
        (case.query or {}).pop(name, None)
    case.call_and_validate(
        base_url=served.url,
        headers={"Authorization": f"Bearer {served.token}"},
        checks=CHECKS,
    )
