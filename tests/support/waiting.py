"""How long a test waits for what must happen. No test asserts that something happens sooner."""

import time
from collections.abc import Callable

PATIENCE_S = 300.0
"""Seconds. Only a fault uses them up: a slow machine must not fail a test."""


def until(happened: Callable[[], object], step_s: float = 0.01) -> None:
    """Ask again and again, `step_s` seconds apart. Raises `AssertionError` after `PATIENCE_S`."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, f"this did not happen in {PATIENCE_S:.0f} s"
        time.sleep(step_s)
