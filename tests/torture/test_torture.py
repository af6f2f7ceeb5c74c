"""A short torture of a real service; `make torture` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_S = 1800.0


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 60)
def test_two_rounds_break_no_promise():
    tried = subprocess.run(
        [sys.executable, "-m", "benchmarks.torture", "--rounds", "2", "--seed", "25"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
