from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import Client
from api.local_service import clear
from tests.support.thinning import thinned
from tests.support.waiting import PATIENCE_S

LIMIT_S = PATIENCE_S
COMMAND = [sys.executable, "-m", "fulcrum"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    for name in ("FULCRUM_URL", "FULCRUM_TOKEN", "FULCRUM_CONFIG", "FULCRUM_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FULCRUM_EXECUTOR__WARM_WORKERS", "0")
    started = []

    def run(*args: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--data", str(tmp_path), "--json", "--port", "0", *args],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT_S)
    clear(tmp_path)


@pytest.mark.parametrize("number", thinned([signal.SIGTERM, signal.SIGINT]))
def test_serve_announces_itself_and_stops_in_order(start, tmp_path, number):
    process, said = start()
    address = tmp_path / "address"
    assert address.read_text().strip() == said["url"]
    assert address.stat().st_mode & 0o777 == 0o600
    assert Path(said["token"]).stat().st_mode & 0o777 == 0o600
    with Client(data_dir=tmp_path) as client:
        assert [pool.name for pool in client.cluster().pools] == said["pools"]
    process.send_signal(number)
    assert process.wait(LIMIT_S) == 0
    assert not address.exists()


@pytest.mark.slow
def test_a_service_stops_in_order_while_decisions_are_compiled(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "serve", "--data", str(tmp_path / "data"), "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Nothing is compiled for this variable, so all of it has to be.
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_OPT": "1"},
    )
    try:
        assert process.stderr is not None
        assert any("are compiled for this machine" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
    finally:
        process.kill()
        clear(tmp_path)


def test_one_service_per_data_folder(start, tmp_path):
    process, _ = start()
    second = subprocess.run(
        [*COMMAND, "serve", "--data", str(tmp_path), "--port", "0"],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert second.returncode == 6
    assert f"process {process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    with Client(data_dir=tmp_path) as client:
        client.ready()


def test_a_taken_port_and_wrong_settings_are_told(tmp_path):
    def serve(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "serve", "--data", str(tmp_path / "data"), *args],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = serve("--port", str(taken.getsockname()[1]))
    assert answer.returncode == 6
    assert "cannot listen" in answer.stderr
    config = tmp_path / "fulcrum.toml"
    config.write_text("ports = 3\n")
    answer = serve("--config", str(config))
    assert answer.returncode == 2
    assert "did you mean 'port'?" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.slow
def test_a_client_bridges_a_restart(start, tmp_path):
    first, said = start()
    with Client(data_dir=tmp_path, patience=LIMIT_S) as client:
        client.ready()
        first.send_signal(signal.SIGTERM)
        assert first.wait(LIMIT_S) == 0
        start("--port", said["url"].rpartition(":")[2])
        assert client.cluster().queued == 0
