"""Small packages of compiled functions, and processes that run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = {
    "__init__.py": "",
    "constants.py": "FACTOR = 3\n",
    "inner.py": """
from scheduler.compilation.functions import compiled
from small_kernel.constants import FACTOR

@compiled
def scaled(value):
    return value * FACTOR
""",
    "outer.py": """
from __future__ import annotations
from dataclasses import dataclass
from scheduler.compilation.columns import Floats
from scheduler.compilation.functions import entry_point
from small_kernel.inner import scaled

@dataclass
class Pair:
    numbers: Floats

@entry_point
def first(pair: Pair, extra: float) -> float:
    return scaled(pair.numbers[0]) + extra
""",
}
PROGRAM = """
import json, logging, sys
logging.basicConfig(stream=sys.stderr, format="%(message)s")
import numpy as np
from scheduler.compilation import functions, warmup
from scheduler.compilation.handles import handle_of
from small_kernel.outer import Pair, first
early = "numba" in sys.modules
plain = bool(functions.why_plain())
before = None if plain else warmup.report().state
value = first(handle_of(Pair(np.array([2.0]))), 1.0)
stats = None if plain else first.dispatcher.stats
print(json.dumps({
    "value": value, "early": early, "before": before, "after": warmup.report().state,
    "hits": stats and sum(stats.cache_hits.values()),
    "compiled": stats and sum(stats.cache_misses.values()),
}))
"""


def write(folder: Path) -> Path:
    """A package `small_kernel` in `folder`."""
    package = folder / "small_kernel"
    package.mkdir(parents=True)
    for name, text in SOURCES.items():
        (package / name).write_text(text)
    return package


def run(
    folder: Path, *, program: str = PROGRAM, bound: bool = False, **variables: str
) -> tuple[dict[str, Any], str]:
    """What a new process says that uses the package in `folder`, and its log.

    `bound`: permissions of folders bind it, even if it is root's.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    caches = {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    prefix = ["setpriv", "--bounding-set", "-dac_override"] if bound and os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", program],
        env={name: value for name, value in (kept | caches | variables).items() if value},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def can_bind() -> bool:
    """Whether `run(bound=True)` works here."""
    return os.geteuid() != 0 or shutil.which("setpriv") is not None
