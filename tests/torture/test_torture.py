"""A short torture of a real service; `make torture` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_S = 1800.0
LEFT_OUT = (
    "clock stepped",
    "disk full",
    "file damaged",
    "folder removed",
    "fork server hung",
    "supervisor hung",
    "job-forges-files",
    "job-removes-folder",
)
"""Promises that are not kept yet."""


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 60)
def test_two_rounds_break_no_promise():
    left_out = [part for name in LEFT_OUT for part in ("--without", name)]
    tried = subprocess.run(
        [sys.executable, "-m", "benchmarks.torture", "--rounds", "2", "--seed", "25", *left_out],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
