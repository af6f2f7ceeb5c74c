"""Which code a fork server was started with."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import scheduler

_IMPORTED = ("lightning", "numpy", "torch", "torchmetrics", "torchvision")


def digest(*names: str) -> str:
    """Changes with `names`, the sources of `scheduler`, the interpreter, and the libraries.

    Without names it is equal on all machines that have the same of these, wherever they lie.
    """
    parts = hashlib.sha256(" ".join((*names, sys.version)).encode(errors="surrogateescape"))
    for name in _IMPORTED:
        try:
            parts.update(f" {name} {metadata.version(name)}".encode())
        except metadata.PackageNotFoundError:
            continue
    root = Path(scheduler.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts.update(str(path.relative_to(root)).encode())
        parts.update(path.read_bytes())
    return parts.hexdigest()[:16]
