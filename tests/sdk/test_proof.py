"""A token that was found goes to the service of its folder only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.client import Client, UnreachableError
from api.client.connection import AddressError, find
from api.client.proof import digest, proof

TOKEN = "t" * 43


class Stranger(HTTPServer):
    """Answers as it is told; keeps the headers it was sent."""

    answers: dict[str, Any]
    headers: list[dict[str, str]]
    knows: str = "another token"


class Handler(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        self.server.headers.append(dict(self.headers))
        address = urlsplit(self.path)
        answer: dict[str, Any] = {"jobs": [], "next_cursor": None, "total": 3}
        if address.path == "/v1/proof":
            (challenge,) = parse_qs(address.query)["nonce"]
            known = digest(self.server.knows)
            answer = {"proof": proof(known, challenge, self.server.server_port)}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    server = Stranger(("127.0.0.1", 0), Handler)
    server.headers = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path, stranger: Stranger) -> Path:
    (tmp_path / "address").write_text(f"http://127.0.0.1:{stranger.server_port}\n")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path


def test_a_stranger_on_the_port_is_not_given_the_token(stranger: Stranger, folder: Path) -> None:
    with Client(data_dir=folder) as client, pytest.raises(UnreachableError, match="another prog"):
        client.count()
    assert stranger.headers
    assert not any("Authorization" in headers for headers in stranger.headers)
    assert not any(TOKEN in str(headers) for headers in stranger.headers)


def test_who_knows_the_token_is_given_it(stranger: Stranger, folder: Path) -> None:
    stranger.knows = TOKEN
    with Client(data_dir=folder) as client:
        assert client.count() == 3
    assert stranger.headers[-1]["Authorization"] == f"Bearer {TOKEN}"


def test_a_token_given_for_an_address_is_sent_there(stranger: Stranger, folder: Path) -> None:
    with Client(f"http://127.0.0.1:{stranger.server_port}", "mine") as client:
        assert client.count() == 3


def test_a_line_end_around_a_token_is_no_part_of_it(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FULCRUM_TOKEN", f" {TOKEN}\r\n")
    assert find("http://test", data_dir=tmp_path).token == TOKEN


@pytest.mark.parametrize("token", ["secret one", "sec\nret", "sécret", "secret\x00"])
def test_what_is_no_token_is_refused_and_not_printed(token: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="no token") as caught:
        find("http://test", token, tmp_path)
    assert token not in str(caught.value)
