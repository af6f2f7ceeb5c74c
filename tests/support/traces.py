"""Published traces, where they lie beside the repository."""

from pathlib import Path

import pytest

TRACES = Path(__file__).resolve().parents[2] / ".." / "shared" / "traces"


def trace(name: str) -> Path:
    path = TRACES / name
    if not path.is_file():
        pytest.skip(f"the trace {name} is not in ../shared/traces")
    return path
