"""Compiles all entry points ahead, and tells what of them lies on disk.

`python -m scheduler.compilation.warmup` compiles what is missing or was changed.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scheduler.compilation.environment import problems
from scheduler.compilation.functions import ENTRY_POINTS, FUNCTIONS, load, why_plain

_log = logging.getLogger(__name__)
PACKAGES: Final = ("scheduler.decisions.kernel", "envs.clock.kernel")
"""Where entry points stand."""


class CacheState(StrEnum):
    """What lies on disk of the entry points, for this CPU and this version of Numba."""

    WARM = "warm"
    """All of them."""
    STALE = "stale"
    """Some are missing: code or constants were changed, or another CPU or Numba compiled them."""
    COLD = "cold"
    """Nothing was compiled yet."""
    PLAIN = "plain Python"
    """Numba does not compile: see `reason`."""


@dataclass(frozen=True, slots=True)
class CacheReport:
    """The cache of compiled functions, as `fulcrum doctor` shows it."""

    state: CacheState
    reason: str
    """Why functions run as plain Python."""
    numba: str
    """Version."""
    cpu: str
    """The CPU for which Numba compiles; NUMBA_CPU_NAME chooses another one."""
    folders: tuple[Path, ...]
    """Where compiled functions were found, else where they would be written."""
    missing: int
    """Number of entry points that are not there."""


def warm_up() -> int:
    """Load or compile the entry points of all modules that have been imported; their number.

    The log says so if some of them have to be compiled, which takes a minute or more. What is left
    on disk of earlier versions is deleted.
    """
    if not load():
        return len(ENTRY_POINTS)
    from scheduler.compilation.caching import delete_stale

    missing, begun = report().missing, time.monotonic()
    if missing:
        _log.warning("%d functions of decisions are compiled for this machine", missing)
    for entry in ENTRY_POINTS:
        entry.dispatcher  # noqa: B018  # asking for it loads or compiles it
    if missing:
        _log.warning("they are compiled; it took %.0f s", time.monotonic() - begun)
    delete_stale(one.function for one in FUNCTIONS)
    return len(ENTRY_POINTS)


def import_entry_points() -> None:
    """Import all modules that have entry points."""
    for package in PACKAGES:
        if find_spec(package) is None:
            continue
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)


def report() -> CacheReport:
    """Look what lies on disk of the entry points that are imported; nothing is compiled."""
    if not load():
        reason = why_plain() or "Numba cannot be imported"
        return CacheReport(CacheState.PLAIN, reason, "", "", (), 0)
    import numba
    from numba.core.registry import cpu_target

    from scheduler.compilation.caching import find

    found = [find(entry.function) for entry in ENTRY_POINTS]
    places = {one.path for one in found if one.path} or {one.preferred for one in found}
    missing = sum(one.path is None for one in found)
    state = CacheState.WARM if not missing else CacheState.COLD
    if missing and any(one.path or one.older for one in found):
        state = CacheState.STALE
    cpu = str(cpu_target.target_context.codegen().magic_tuple()[1])
    return CacheReport(state, "", numba.__version__, cpu, tuple(sorted(places)), missing)


def main() -> None:
    """Compile what is missing, and say how long that took."""
    begun = time.monotonic()
    for text, advice in problems():
        sys.stderr.write(f"{text}: {advice}.\n")
    import_entry_points()
    count = warm_up()
    now = report()
    if now.state is CacheState.PLAIN:
        sys.stderr.write(f"Nothing is compiled: {now.reason}.\n")
        return
    where = os.path.commonpath(now.folders)
    kept = f"below {where}" if not now.missing else f"but {now.missing} of them are not on disk"
    sys.stdout.write(f"{count} entry points compiled in {time.monotonic() - begun:.1f} s, {kept}\n")


if __name__ == "__main__":
    main()
