"""Rounds are the same compiled, with checked indices, and in plain Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.compilation.functions import ENTRY_POINTS, CompiledFunction, why_plain
from tests.support.played_rounds import plans

KERNEL = "scheduler.decisions.kernel."
ROOT = Path(__file__).parents[3]


def elsewhere(seeds, **variables):
    """What another process with these environment variables plays."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.played_rounds", str(seeds)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def here(seeds):
    return json.loads(json.dumps(plans(range(seeds))))


def test_plain_python_makes_the_same_plans():
    assert elsewhere(5, FULCRUM_NO_NUMBA="1") == here(5)


@pytest.mark.slow
def test_no_index_is_out_of_bounds():
    assert elsewhere(60, NUMBA_BOUNDSCHECK="1") == here(60)


@pytest.mark.skipif(bool(why_plain()), reason="nothing is compiled")
def test_every_compiled_function_is_compiled_for_one_signature():
    plans(range(2))
    modules = [sys.modules[name] for name in sorted(sys.modules) if name.startswith(KERNEL)]
    found = {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, CompiledFunction)
    }
    entries = found.intersection(ENTRY_POINTS)
    assert len(found) > len(entries) > 20
    for entry in entries:
        assert len(entry.dispatcher.signatures) == 1, entry.__name__
    for function in found:
        called = function._call
        assert called is None or len(called.signatures) <= 1, (function, called.signatures)
