"""The place of a torture: a service of its own, its disk, its clock."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import httpx

from api.client import Client
from api.local_service import clear
from benchmarks.torture import processes
from benchmarks.torture.processes import ServiceProcess

DEVICES = 6
GRACE_S = 2.0
START_S = 600.0
"""A service that needs longer to be ready has not started: generous, for busy machines."""
SETTINGS = {
    "FULCRUM_FIT": "false",
    "FULCRUM_POLICY": "priority",
    "FULCRUM_POOLS__CPU__DEVICES": str(DEVICES),
    "FULCRUM_POOLS__CPU__MEMORY": "0",
    "FULCRUM_EXECUTOR__GRACE_S": str(GRACE_S),
    "FULCRUM_EXECUTOR__PASS_ENV": '["PYTHONPATH", "TORTURE_CLOCK"]',
    "FULCRUM_DEFAULT_RUNTIME_S": "2",
    "FULCRUM_PREEMPTION__MODE": "priority",
    "FULCRUM_PREEMPTION__MIN_RUNTIME_S": "0.2",
    "FULCRUM_PREEMPTION__GRACE_S": str(GRACE_S),
}
_CLOCK = Path(__file__).with_name("stepped_clock")
_REPOSITORY = Path(__file__).parents[2]


class Testbed:
    """One data folder with its service; `close` ends every process of it."""

    def __init__(self, root: Path, *, disk_mib: int) -> None:
        self.root = root
        self.disk = root / "disk"
        self.data = self.disk / "data"
        self.disk.mkdir()
        self.no_disk = _mount(self.disk, disk_mib)
        """Why the data folder has no file system of its own; empty if it has."""
        self.data.mkdir(mode=0o700)
        self.beats = root / "beats"
        self.log = root / "service.log"
        (root / "empty.toml").touch()
        clock = root / "clock"
        clock.write_bytes(bytes(8))
        with clock.open("r+b") as file:
            self._clock = mmap.mmap(file.fileno(), 8)
        self.port = _free_port()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=5.0, trust_env=False
        )
        self.service: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def start(self) -> None:
        """Start the service; returns before it is ready."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FULCRUM_")}
        path = os.pathsep.join([str(_CLOCK), str(_REPOSITORY)])
        own = {"PYTHONPATH": path, "TORTURE_CLOCK": str(self.root / "clock")}
        command = [sys.executable, "-m", "fulcrum", "serve", "--json"]
        options = ["--port", str(self.port), "--data", str(self.data)]
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.service = subprocess.Popen(
                [*command, *options, "--config", str(self.root / "empty.toml")],
                stdout=log,
                stderr=log,
                cwd=self.root,
                env=inherited | SETTINGS | own,
                start_new_session=True,
            )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the service's process, and wait until it has gone."""
        if self.service is not None:
            self.service.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.service.wait(START_S)
                return
            self.service.kill()
            self.service.wait()

    @property
    def ended(self) -> int | None:
        """The exit status of a service that ended; None while it runs."""
        return None if self.service is None else self.service.poll()

    def readyz(self) -> int:
        """Its status code; 0: nobody answered."""
        try:
            return self.http.get("/readyz").status_code
        except httpx.TransportError:
            return 0

    def until_ready(self, limit_s: float = START_S) -> float | None:
        """Seconds until /readyz says 200; None if it does not within `limit_s`, or has ended."""
        begun = time.monotonic()
        while self.readyz() != 200:
            if self.ended is not None or time.monotonic() - begun > limit_s:
                return None
            time.sleep(0.02)
        return time.monotonic() - begun

    def client(self, *, patience: float = 20.0) -> Client:
        """A client as users have it; it finds the token in the data folder."""
        url = f"http://127.0.0.1:{self.port}"
        token = (self.data / "token").read_text().strip()
        return Client(url, token, timeout=10.0, patience=patience)

    def processes(self) -> list[ServiceProcess]:
        """What the service has forked, and the programs of its jobs."""
        return processes.find(self.data, self.beats)

    def fork_server_ticks(self) -> int:
        """Processor time of the fork server: while it starts, it rises."""
        return sum(one.ticks for one in self.processes() if one.role == processes.SERVER)

    def step_clock(self, offset_s: float) -> None:
        """Let the wall clock of service, supervisors and workers be off by `offset_s`."""
        struct.pack_into("d", self._clock, 0, offset_s)

    @property
    def clock_offset_s(self) -> float:
        """How far the clock is off."""
        return float(struct.unpack_from("d", self._clock)[0])

    def fill_disk(self) -> None:
        """Leave no byte free."""
        with (self.disk / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        (self.disk / "filler").unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of the service's own output."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    def close(self) -> None:
        """End everything and remove the folder."""
        for process in self.processes():
            process.send(signal.SIGCONT)
        self.kill()
        clear(self.data)
        for process in self.processes():
            process.send(signal.SIGKILL)
        self.http.close()
        self._clock.close()
        if not self.no_disk:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=True)
        shutil.rmtree(self.root, ignore_errors=True)


def _mount(folder: Path, mib: int) -> str:
    if os.geteuid():
        return "a small file system can be mounted by root alone"
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "fulcrum-torture"]
    tried = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    return f"mount: {tried.stderr.strip()}" if tried.returncode else ""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
