"""What `fulcrum doctor` looks at; each check is a function that yields findings."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fulcrum.packages
from api.cli.support import text_format
from api.cli.views.doctor.findings import CheckResult, Finding, Patient
from api.cli.views.doctor.service_checks import service
from api.client.connection import TOKEN_FILE
from api.http.auth import Role, list_tokens
from scheduler import problems
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from scheduler.settings import Settings

LOADER_BYTES = 64 * 2**20
"""What one loader process may have under way in /dev/shm: two batches of 53 images at 224 × 224."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Yield all findings; later ones depend on earlier ones."""
    yield from python()
    yield from packages()
    serves = find_spec("fastapi") is not None
    if serves:
        for check in (torch, nvml, shared_memory, compilation):
            yield from check()
    else:
        yield Finding(
            "install",
            CheckResult.OK,
            "client and command line only: this machine submits to a service elsewhere",
        )
    try:
        from scheduler.settings import load
        from scheduler.settings_file import find_file

        settings = load(overrides={"data_dir": patient.data})
        file = find_file()
        yield Finding("settings", CheckResult.OK, f"from {file}" if file else "defaults, no file")
    except FulcrumError as error:
        yield Finding("settings", CheckResult.FAIL, error.message, "see docs/configuration.md")
        return
    if serves:
        for inspect in (folder, isolation, disk, database, ray):
            yield from inspect(settings)
    yield from service(patient)


def python() -> Iterator[Finding]:
    """The interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding(
        "python",
        CheckResult.OK if good else CheckResult.FAIL,
        f"{found} ({sys.executable})",
        "" if good else "install Python 3.11 or newer",
    )


def packages() -> Iterator[Finding]:
    """Whether other distributions, or folders on the path, stand in for Fulcrum's packages."""
    owners = packages_distributions()
    wrong = list(fulcrum.packages.foreign())
    for name in fulcrum.packages.ALL:
        others = sorted(set(owners.get(name, ())) - {fulcrum.packages.DISTRIBUTION})
        if others:
            wrong.append(f"{name} is also installed by {', '.join(others)}")
    for text in wrong:
        yield Finding("packages", CheckResult.FAIL, text, fulcrum.packages.ADVICE)
    if not wrong:
        names = ", ".join(fulcrum.packages.ALL)
        yield Finding("packages", CheckResult.OK, f"{names} from {fulcrum.packages.ROOT}")


_PROBE = """
import json, torch, torchvision
found = {"torch": torch.__version__, "torchvision": torchvision.__version__}
devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps({**found, "cuda": torch.version.cuda, "devices": devices}))
"""


def torch() -> Iterator[Finding]:
    """Whether torch and torchvision load, in a process of their own, and see CUDA."""
    begun = time.monotonic()
    try:
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        stderr = getattr(error, "stderr", None) or str(error)
        last = str(stderr).strip().splitlines()[-1:] or ["no answer"]
        yield Finding(
            "torch", CheckResult.FAIL, last[0], "reinstall torch and torchvision as a pair"
        )
        return
    took = text_format.seconds(time.monotonic() - begun)
    text = f"{found['torch']}, torchvision {found['torchvision']}, loaded in {took}"
    yield Finding("torch", CheckResult.OK, text)
    if found["devices"]:
        yield Finding(
            "cuda", CheckResult.OK, f"{counted(found['devices'], 'device')}, CUDA {found['cuda']}"
        )
    else:
        build = f"CUDA {found['cuda']}" if found["cuda"] else "no CUDA"
        yield Finding("cuda", CheckResult.OK, f"torch sees no device (built with {build})")


def nvml() -> Iterator[Finding]:
    """NVIDIA's management library, which finds the GPU pools."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception as error:  # a broken driver may raise anything
        present = Path("/proc/driver/nvidia").exists()
        yield Finding(
            "nvml",
            CheckResult.WARN if present else CheckResult.OK,
            f"no GPU found ({error})",
            "a driver is loaded, but NVML does not answer: reinstall it" if present else "",
        )
        return
    try:
        count, driver = pynvml.nvmlDeviceGetCount(), pynvml.nvmlSystemGetDriverVersion()
        yield Finding("nvml", CheckResult.OK, f"{count} GPUs, driver {driver}")
    finally:
        pynvml.nvmlShutdown()


def compilation() -> Iterator[Finding]:
    """Whether decisions are compiled, and whether that is done already."""
    from scheduler.compilation.environment import problems
    from scheduler.compilation.warmup import CacheState, import_entry_points, report

    wrong = list(problems())
    for text, advice in wrong:
        yield Finding("compilation", CheckResult.WARN, text, advice)
    if wrong:
        return
    import_entry_points()
    cache = report()
    warm_up = "python -m scheduler.compilation.warmup"
    if cache.state is CacheState.PLAIN:
        text = f"plain Python, which is slow beyond a few dozen waiting jobs: {cache.reason}"
        advice = "install numba, and set neither FULCRUM_NO_NUMBA nor NUMBA_DISABLE_JIT"
        yield Finding("compilation", CheckResult.WARN, text, advice)
        return
    where, count = os.path.commonpath(cache.folders), len(cache.folders)
    below = f" ({count} folders)" if count > 1 else ""
    text = f"Numba {cache.numba} for the CPU {cache.cpu}, cache is {cache.state} in {where}{below}"
    if cache.state is CacheState.WARM:
        yield Finding("compilation", CheckResult.OK, text)
        return
    advice = (
        f"`{warm_up}` compiles {cache.missing} functions now; else the next start does, in the "
        "background. An image for several kinds of CPU needs NUMBA_CPU_NAME=generic"
    )
    yield Finding("compilation", CheckResult.WARN, text, advice)


def shared_memory() -> Iterator[Finding]:
    """/dev/shm, through which loader processes pass images."""
    place = Path("/dev/shm")
    if not place.is_dir():
        yield Finding("/dev/shm", CheckResult.OK, "not used on this system")
        return
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    # As many as a common batch of 224 × 224 images needs, several of them under way.
    workers = min(os.cpu_count() or 1, int(free / LOADER_BYTES)) if writable else 0
    enough = workers >= (os.cpu_count() or 1)
    yield Finding(
        "/dev/shm",
        CheckResult.OK if enough else CheckResult.WARN,
        f"{text_format.size(free)} free" if writable else "cannot be written",
        ""
        if enough
        else f"enough for {workers} loader_workers: docker run --shm-size=2g gives more",
    )


def folder(settings: Settings) -> Iterator[Finding]:
    """The data folder and its token."""
    place = settings.data_dir
    if not place.is_dir():
        above = next(parent for parent in place.parents if parent.exists())
        makable = os.access(above, os.W_OK)
        yield Finding(
            "data folder",
            CheckResult.OK if makable else CheckResult.FAIL,
            f"{place} does not exist yet",
            "" if makable else f"{above} cannot be written: choose another with --data",
        )
        return
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        advice = f"let {place} belong to the user that runs the service"
        yield Finding("data folder", CheckResult.FAIL, f"{place}: {error.strerror}", advice)
        return
    yield _private("data folder", place, 0o700)
    if (place / TOKEN_FILE).exists():
        yield _private("token file", place / TOKEN_FILE, 0o600)


def isolation(settings: Settings) -> Iterator[Finding]:
    """Who else may submit jobs, which run with all rights of the service's user."""
    try:
        tokens = list_tokens(settings.data_dir)
    except InputError as error:
        yield Finding(
            "isolation", CheckResult.FAIL, error.message, "restore the file, or delete it"
        )
        return
    others = {token.user for token in tokens if token.role is not Role.VIEWER}
    found = [f"jobs of {', '.join(sorted(others))} run as the service's user"] if others else []
    if os.geteuid() == 0:
        found.append("jobs run as root")
    yield Finding(
        "isolation",
        CheckResult.WARN if found else CheckResult.OK,
        " and ".join(found) or "nobody else may submit jobs",
        "a job may do all that its operating system's user may: docs/security.md" if found else "",
    )


def disk(settings: Settings) -> Iterator[Finding]:
    """Free space for checkpoints, logs and the database, as the service sees it."""
    places = {"data folder": settings.data_dir, "temporary folder": Path(tempfile.gettempdir())}
    full = list(problems.disks(places, settings.min_free))
    for problem in full:
        yield Finding("disk", CheckResult.FAIL, problem.text, problem.advice)
    if not full:
        left = text_format.size(problems.free(settings.data_dir))
        yield Finding("disk", CheckResult.OK, f"{left} free for {settings.data_dir}")


def database(settings: Settings) -> Iterator[Finding]:
    """SQLite's own check of the file, beside a running service."""
    from sqlalchemy import make_url

    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite":
        yield Finding("database", CheckResult.OK, "not a file; its own tools check it")
        return
    file = Path(url.database or "").resolve()
    if not file.exists():
        yield Finding("database", CheckResult.OK, "not created yet")
        return
    try:
        with closing(
            sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
        ) as connection:
            rows = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        yield Finding("database", CheckResult.FAIL, f"{file}: {error}", "restore it from a backup")
        return
    if rows == ["ok"] and broken is None:
        yield Finding(
            "database", CheckResult.OK, f"{file.name}, {text_format.size(file.stat().st_size)}"
        )
    else:
        text = rows[0] if rows != ["ok"] else f"a row of {broken[0]} refers to nothing"
        yield Finding("database", CheckResult.FAIL, f"{file}: {text}", "restore it from a backup")


def ray(settings: Settings) -> Iterator[Finding]:
    """Whether a cluster on Ray can be used, and by nobody else."""
    from scheduler.node import engine, head_address

    address = head_address.remembered(settings)
    if settings.executor.kind == "ray":
        address = settings.ray.address
    if address is None:
        return
    if find_spec("ray") is None:
        yield Finding("Ray", CheckResult.FAIL, "not installed", "pip install 'ray[default]'")
    name = "Ray's token"
    token = settings.data_dir / engine.TOKEN_FILE
    if token.is_file():
        yield _private(name, token, 0o600)
    elif engine.environment_has_token(os.environ):
        yield Finding(name, CheckResult.OK, "of this environment")
    else:
        alone = engine.for_this_machine_alone(address)
        who = "users of this machine" if alone else "other machines"
        advice = "who reaches Ray runs programs as your user: start it by `fulcrum serve --ray`"
        yield Finding(
            name,
            CheckResult.WARN if alone else CheckResult.FAIL,
            f"{token} is missing, and {who} may reach the cluster at {address}",
            advice,
        )


def _private(name: str, path: Path, mode: int) -> Finding:
    found = path.stat().st_mode & 0o777
    good = not found & 0o077
    return Finding(
        name,
        CheckResult.OK if good else CheckResult.WARN,
        f"{path} ({found:o})",
        "" if good else f"others can read it: chmod {mode:o} {path}",
    )
