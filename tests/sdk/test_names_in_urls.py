"""No name leads a request to another path, or a file out of its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import Client, InvalidError
from tests.support.answers import Service, job


@pytest.mark.parametrize("name", ["../../2", "..", "/etc/passwd", "a//b", "a/../../b", ".", ""])
def test_no_artifact_is_written_outside_the_folder(name: str, tmp_path: Path) -> None:
    service = Service([job(), httpx.Response(200, content=b"planted")])
    handle = service.client().submit(kind="command")
    folder = tmp_path / "inner"
    with pytest.raises(InvalidError, match="legal: a name as listed"):
        handle.download(name, folder / name)
    assert len(service.requests) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["..", ".", "", "../x", "a/b"])
@pytest.mark.parametrize(
    "call",
    [
        lambda client, name: client.project(name),
        lambda client, name: client.set_project(name, share=1),
        lambda client, name: client.set_secret(name, "value"),
        lambda client, name: client.set_secret("A", "value", project=name),
        lambda client, name: client.remove_secret(name),
        lambda client, name: client.registered_policy(name),
        lambda client, name: client.export_policy(name),
        lambda client, name: client.add_schedule(name, ""),
        lambda client, name: client.drain_node(name),
    ],
)
def test_a_name_that_is_another_path_is_refused(
    call: Callable[[Client, str], Any], name: str
) -> None:
    service = Service([])
    with pytest.raises(InvalidError, match="legal: text without '/'"):
        call(service.client(), name)
    assert service.requests == []


def test_other_characters_arrive_as_they_are() -> None:
    service = Service([httpx.Response(200, json={})])
    service.client().remove_secret("a?b#c%2Fd é", project="x")
    assert service.requests[0].url.raw_path == b"/v1/secrets/x/a%3Fb%23c%252Fd%20%C3%A9"


def test_what_is_in_folders_of_artifacts_is_fetched(tmp_path: Path) -> None:
    service = Service([job(), httpx.Response(200, content=b"png")])
    handle = service.client().submit(kind="command")
    handle.download("plots/a?b.png", tmp_path / "plots/a.png")
    assert service.requests[1].url.raw_path == b"/v1/jobs/17/artifacts/plots/a%3Fb.png"
