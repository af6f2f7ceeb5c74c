"""Starts Ray on a machine with settings that are safe: a token, no outer interface unless told."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from scheduler.domain.errors import InputError, StateError
from scheduler.domain.nodes import POOL_LABEL
from scheduler.domain.resources import ANY
from scheduler.executors.ray.config import HEAD_LABEL, NODE_LABEL
from scheduler.files import write_text
from scheduler.node import ray_command
from scheduler.node.local_nodes import local_nodes, why_not_own

THIS_MACHINE = "127.0.0.2"
"""A head that listens there is for this machine alone. Ray takes 127.0.0.1 for its outer one."""
PORT = 6379
TOKEN_FILE = Path("ray") / "token"
"""In the data folder."""
TOKEN_VARIABLE = "RAY_AUTH_TOKEN_PATH"
"""Names the token's file to Ray's processes."""
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
"""What Ray takes as a label's value, as Kubernetes does."""


def token_file(data_dir: Path) -> Path:
    """The file with the secret that nodes show each other; made if it is missing."""
    path = data_dir / TOKEN_FILE
    if not path.exists():
        # Before the service itself makes the folder, and as private.
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
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

    Raises `InputError` without Ray and for an address that is not this machine's, `StateError`
    if it does not start, or something else listens there.
    """
    address = f"{host}:{port}"
    if _taken(host, port):
        try:
            ray_command.check_head(address, environment(token))
        except InputError as error:
            raise StateError(
                f"port {port} of {host} is in use: {error.message}",
                {"ray-port": "a free port, or copy the token of that cluster to ray/token"},
            ) from None
    else:
        _check_own(host)
        options = ("--head", f"--node-ip-address={host}", f"--port={port}", "--num-cpus=0")
        label = f"--labels={HEAD_LABEL}={port}"
        ray_command.run(("start", *options, label, "--include-dashboard=false"), environment(token))
    return address


def join(
    address: str, name: str, token: Path, host: str | None = None, pool: str | None = None
) -> None:
    """Start Ray here as node `name` of the cluster at `address`.

    `host` is the address of this machine that others reach it by; `pool` names its pool. Raises
    as `start_head`, `InputError` if the token cannot be read or is another cluster's, `StateError`
    if such a node is here.
    """
    _check_label("name", name)
    if pool is not None:
        _check_label("pool", pool)
        if pool.casefold() == ANY:
            raise InputError(f"no pool is called {pool}", {"pool": "another name"})
    if host is not None:
        _check_own(host)
    if not token.is_file():
        raise InputError(
            f"{token} is missing",
            {"token": f"a copy of {TOKEN_FILE} in the service's data folder"},
        )
    if not token.read_text().strip():
        raise InputError(f"{token} is empty", {"token": f"a copy of the service's {TOKEN_FILE}"})
    head, _, port = address.rpartition(":")
    if not head or "/" in head or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(
            f"{address!r} is not HOST:PORT", {"address": "that of the head of Ray, without http://"}
        )
    if not _taken(head.strip("[]"), int(port)):  # Ray itself would wait for minutes
        raise StateError(
            f"nothing answers at {address}",
            {"address": f"HOST:PORT of the head of Ray; `fulcrum serve --ray` has port {PORT}"},
        )
    if any(node.name == name and node.belongs_to(address) for node in local_nodes()):
        raise StateError(
            f"node {name} of {address} is here already",
            {"name": f"another one, or first `fulcrum node leave {name}`"},
        )
    ray_command.check_head(address, environment(token))
    own = () if host is None else (f"--node-ip-address={host}",)
    # Fulcrum counts the devices of its jobs itself; Ray's own users get what its flags say.
    labels = f"{NODE_LABEL}={name}" + ("" if pool is None else f",{POOL_LABEL}={pool}")
    ray_command.run(
        ("start", f"--address={address}", f"--labels={labels}", *own), environment(token)
    )


def _taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False


def _check_label(option: str, value: str) -> None:
    if not _LABEL.fullmatch(value):
        raise InputError(
            f"{value!r} is no name for a {'node' if option == 'name' else option}",
            {option: "1 to 63 letters, digits, -, _ and ., a letter or digit first and last"},
        )


def _check_own(host: str) -> None:
    why = why_not_own(host)
    if why:
        raise InputError(
            f"{host} is no address of this machine: {why}",
            {"host": "the address on which the other machines reach this one"},
        )
