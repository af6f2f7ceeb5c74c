"""A private service in a folder: for demos, benchmarks and tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from api.client import Client

STOP_S = 20.0
"""Seconds for the service to stop by itself."""


@contextmanager
def private_service(folder: Path, variables: Mapping[str, str] | None = None) -> Iterator[Client]:
    """Run `fulcrum serve` on a free port with its data in `folder`; a client of it.

    `variables` are further FULCRUM_* settings; those of the surrounding environment and the
    settings file are not used. At the end every process of the service is gone, those of its
    running jobs included. Raises `RuntimeError` with its output if it does not start.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = folder / "private.toml"
    config.touch(mode=0o600)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FULCRUM_")}
    command = [sys.executable, "-m", "fulcrum", "serve", "--json", "--port", "0"]
    log = folder / "service.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(folder), "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=inherited | dict(variables or {}),
            start_new_session=True,  # a Ctrl-C is for the caller, who then stops it in order
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the service did not start:\n{log.read_text(errors='replace')}")
        with Client(json.loads(line)["url"], data_dir=folder) as client:
            yield client
    finally:
        _stop(process)
        clear(folder)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def clear(folder: Path) -> None:
    """End what outlives a service of this folder by design: its fork server, running attempts."""
    mark = str(folder)
    left: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and any(mark in part for part in process.cmdline()):
                left |= {process, *process.children(recursive=True)}
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=5)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
