"""Which variables of the service reach jobs: those of an allow-list, never its secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "CUDA_*", "NVIDIA_*", "NCCL_*", "GLOO_*", "OMP_*"),
    *("XDG_*_HOME", "TORCH_HOME", "HF_HOME", "VIRTUAL_ENV", "SSL_CERT_DIR", "SSL_CERT_FILE"),
)
"""Names of variables that jobs get; `*` stands for any characters."""
DATA_SETS = "FULCRUM_DATA"
"""The folder of downloaded data sets, which jobs need."""
NODE_ADDRESS = "FULCRUM_NODE_ADDRESS"
"""The address of this node at which other nodes reach it; parts of a job meet there."""
_OWN = "FULCRUM_"
"""Settings and tokens of the service begin so; jobs never get them."""


def passed(environment: Mapping[str, str], further: Collection[str] = ()) -> dict[str, str]:
    """The part of the service's `environment` that jobs get; `further` adds names or patterns."""
    patterns = (*PASSED, *further)
    return {
        name: value
        for name, value in environment.items()
        if name in (DATA_SETS, NODE_ADDRESS)
        or (not name.startswith(_OWN) and any(fnmatchcase(name, pattern) for pattern in patterns))
    }


def check_pattern(pattern: str) -> str:
    """Return `pattern`; raises `ValueError` unless it names variables that jobs may get."""
    if not re.fullmatch(r"[A-Za-z_*][A-Za-z0-9_*]*", pattern):
        raise ValueError(f"{pattern!r} is no variable; write a name, or one with * such as AWS_*")
    if pattern.startswith(_OWN):
        raise ValueError(f"{pattern!r} belongs to the service; jobs never get {_OWN}* variables")
    return pattern
