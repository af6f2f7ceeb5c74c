"""Notifications over HTTP: who may name, and see, which addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import Client, InvalidError, UnauthorizedError
from api.http.auth import create_token
from tests.api.conftest import World, serving

HOOK = "http://127.0.0.1:9/hook"
COMMAND = {"kind": "command", "work": {"argv": ["true"]}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    given = {"webhooks": [HOOK], "secret": "s"}
    with serving(tmp_path / "data", notifications=given) as found:
        yield found


def test_others_do_not_see_the_path_of_a_webhook(world: World) -> None:
    with Client(world.url, world.token) as client:
        job = client.submit(COMMAND, notify={"to": f"{HOOK}/secret", "on": ["failed"]})
        assert job.info.notify.to == (f"{HOOK}/secret",)
        assert job.info.notify.on == ("failed",)
        assert client.job(job).info.notify.to == (f"{HOOK}/secret",)
        assert client.notifications().pending == ()
    token, _ = create_token(world.context.data_dir, "ada")
    with Client(world.url, token) as other:
        assert other.job(job.id).info.notify.to == ("http://127.0.0.1:9/…",)
        with pytest.raises(UnauthorizedError):
            other.notifications()


def test_an_address_that_is_not_allowed_is_refused(world: World) -> None:
    with Client(world.url, world.token) as client:
        for wrong in ("http://127.0.0.1:9/other", "ada@example.org"):
            with pytest.raises(InvalidError) as error:
                client.submit(COMMAND, notify={"to": [wrong]})
            assert error.value.fields == {"notify.to": "legal: http://127.0.0.1:9/…"}
        with pytest.raises(InvalidError) as error:
            client.submit(COMMAND, notify={"to": ["nobody"]})
        assert "NAME@DOMAIN" in error.value.fields["notify.to.0"]
