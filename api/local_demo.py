"""A demonstration on this machine: a folder of its own, and how it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

INTERRUPTED = 130


def demonstration(name: str, show: Callable[[Path], Sequence[str]]) -> int:
    """Run `show` in a new folder; the exit code: 1 if it returned what is not as intended.

    The folder is removed at the end, unless the variable KEEP is set.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"fulcrum-{name}-"))
    begun = time.monotonic()
    try:
        complaints = show(folder)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if os.environ.get("KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - begun:.0f} s in all")
    for complaint in complaints:
        print(f"not as intended: {complaint}")
    return 1 if complaints else 0
