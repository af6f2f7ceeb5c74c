"""Whether the variables by which a user directs Numba mean what they shall."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_ASK: Final = """
import sys
import llvmlite.binding as llvm
llvm.initialize_native_target()
llvm.Target.from_default_triple().create_target_machine(cpu=sys.argv[1])
"""
_UNKNOWN: Final = "is not a recognized processor"
"""LLVM says so on standard error, and compiles for no CPU in particular."""


class VariableProblem(NamedTuple):
    """A variable that has no effect."""

    text: str
    advice: str


def problems() -> Iterator[VariableProblem]:
    """What is wrong with NUMBA_CPU_NAME and NUMBA_CACHE_DIR; takes a moment if the first is set."""
    cpu = os.environ.get("NUMBA_CPU_NAME", "")
    if cpu not in ("", "generic", "host") and _unknown(cpu):
        yield VariableProblem(
            f"NUMBA_CPU_NAME is {cpu!r}, which is no CPU that LLVM knows",
            "unset NUMBA_CPU_NAME, or set it to generic for an image that runs on several CPUs",
        )
    folder = os.environ.get("NUMBA_CACHE_DIR", "")
    if folder and not _writable(Path(folder)):
        yield VariableProblem(
            f"NUMBA_CACHE_DIR is {folder}, which cannot be written",
            "make that folder writable for this user, or unset NUMBA_CACHE_DIR",
        )


def _unknown(cpu: str) -> bool:
    asked = [sys.executable, "-c", _ASK, cpu]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return _UNKNOWN in told.stderr


def _writable(folder: Path) -> bool:
    above = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)
