"""Starts Ray on a machine with settings that are safe: a token, no outer interface unless told."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from scheduler.domain.errors import InputError, StateError
from scheduler.domain.nodes import POOL_LABEL
from scheduler.executors.ray.config import NODE_LABEL
from scheduler.files import write_text

THIS_MACHINE = "127.0.0.2"
"""A head that listens there is for this machine alone. Ray takes 127.0.0.1 for its outer one."""
PORT = 6379
TOKEN_FILE = Path("ray") / "token"
"""In the data folder."""
TOKEN_VARIABLE = "RAY_AUTH_TOKEN_PATH"
"""Names the token's file to Ray's processes."""
_START_S = 120.0


def token_file(data_dir: Path) -> Path:
    """The file with the secret that nodes show each other; made if it is missing."""
    path = data_dir / TOKEN_FILE
    if not path.exists():
        write_text(path, secrets.token_hex(32), private=True, replace=False)
    return path


def environment(token: Path | None) -> dict[str, str]:
    """Variables that Ray gets besides this process's own, on every machine."""
    safe = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # Supervisors inherit it: the kernel must not take them first when memory runs out.
        "RAY_worker_oom_score_adjustment": "0",
        # Agents ask Ray for no GPU, and must see all.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    if token is not None:
        safe |= {"RAY_AUTH_MODE": "token", TOKEN_VARIABLE: str(token)}
    return safe


def environment_has_token(variables: Mapping[str, str]) -> bool:
    """Whether Ray's processes with these variables have the token of a cluster that exists."""
    if variables.get("RAY_AUTH_MODE") != "token":
        return False
    path = Path(variables.get("HOME", "")) / ".ray" / "auth_token"
    file = Path(variables.get(TOKEN_VARIABLE) or path)
    return bool(variables.get("RAY_AUTH_TOKEN")) or file.is_file()


def for_this_machine_alone(address: str) -> bool:
    """Whether no other machine reaches a head at this address.

    Ray takes `auto`, localhost, 127.0.0.1 and ::1 for its outer address.
    """
    host = address.rpartition(":")[0].strip("[]")
    try:
        found = ip_address(host)
    except ValueError:
        return False
    return found.is_loopback and host not in ("127.0.0.1", "::1")


def start_head(host: str, port: int, token: Path) -> str:
    """Start a head that no job runs on, unless one listens already; its address.

    Raises `InputError` without Ray, `StateError` if it does not start.
    """
    address = f"{host}:{port}"
    if not _taken(host, port):
        options = ("--head", f"--node-ip-address={host}", f"--port={port}", "--num-cpus=0")
        _ray(("start", *options, "--include-dashboard=false"), token)
    return address


def join(
    address: str, name: str, token: Path, host: str | None = None, pool: str | None = None
) -> None:
    """Start Ray here as node `name` of the cluster at `address`.

    `host` is the address of this machine that others reach it by; `pool` names its pool. Raises
    as `start_head`, and `InputError` if the token cannot be read.
    """
    if not token.is_file():
        raise InputError(
            f"{token} is missing",
            {"token": f"a copy of {TOKEN_FILE} in the service's data folder"},
        )
    head, _, port = address.rpartition(":")
    if not head or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(f"{address!r} has no port", {"address": "HOST:PORT of the head of Ray"})
    if not _taken(head.strip("[]"), int(port)):  # Ray itself would wait for minutes
        raise StateError(
            f"nothing answers at {address}",
            {"address": f"HOST:PORT of the head of Ray; `fulcrum serve --ray` has port {PORT}"},
        )
    own = () if host is None else (f"--node-ip-address={host}",)
    # Fulcrum counts the devices of its jobs itself; Ray's own users get what its flags say.
    labels = f"{NODE_LABEL}={name}" + ("" if pool is None else f",{POOL_LABEL}={pool}")
    _ray(("start", f"--address={address}", f"--labels={labels}", *own), token)


def _taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False


def _ray(arguments: Sequence[str], token: Path) -> None:
    done = _run(arguments, token)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise StateError(
            f"ray {arguments[0]} failed: {lines[-1] if lines else done.returncode}",
            {"ray": "a free port, an address of this machine, the same token on all nodes"},
        )


def _run(arguments: Sequence[str], token: Path) -> subprocess.CompletedProcess[str]:
    check_installed()
    command = [sys.executable, "-m", "ray.scripts.scripts", *arguments]
    variables: Mapping[str, str] = {**os.environ, **environment(token)}
    try:
        return subprocess.run(
            command,
            env=variables,
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
            # Else Ctrl-C in the service's terminal would end Ray with it.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise StateError(
            f"ray {arguments[0]} does not end", {"ray": "an address that answers"}
        ) from None


def check_installed() -> None:
    """Raises `InputError` if Ray is not installed."""
    if find_spec("ray") is None:
        raise InputError(
            "Ray is not installed",
            {"executor.kind": "local, or pip install 'fulcrum-scheduler[ray]' on all machines"},
        )
