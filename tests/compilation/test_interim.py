"""Until its functions are compiled, a service decides in plain Python, in the same process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compilation.kernels import run, write

pytest.importorskip("numba")
BEGIN = """
import json, sys
import numpy as np
from scheduler.compilation.functions import ENTRY_POINTS
from scheduler.compilation.handles import Handle, handle_of
from scheduler.compilation.interim import INTERIM
from small_kernel.outer import Pair, first
"""


def test_nobody_waits_for_the_compiler(tmp_path: Path) -> None:
    write(tmp_path)
    program = f"""{BEGIN}
INTERIM.begin()
pair = Pair(np.array([2.0]))
early = handle_of(pair)
said = [first(early, 1.0), early is pair, "numba" in sys.modules]
first.dispatcher  # as the thread of the warm-up does
said += [first(early, 1.0), first.dispatcher.stats.cache_misses.total()]
INTERIM.end()
later = handle_of(pair)
said += [first(early, 1.0), first(later, 1.0), isinstance(later, Handle)]
print(json.dumps(said))
"""
    found, _ = run(tmp_path, program=program)
    assert found == [7.0, True, False, 7.0, 1, 7.0, 7.0, True]


def test_what_began_compiled_goes_on_compiled(tmp_path: Path) -> None:
    write(tmp_path)
    program = f"""{BEGIN}
early = handle_of(Pair(np.array([2.0])))
INTERIM.begin()
print(json.dumps([first(early, 1.0), first.dispatcher.stats.cache_misses.total()]))
"""
    found, _ = run(tmp_path, program=program)
    assert found == [7.0, 1]


def test_the_sentence_says_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    from scheduler.compilation import interim

    one = interim.Interim()
    monkeypatch.setattr(interim.time, "monotonic", lambda: 100.0)
    one.begin()
    monkeypatch.setattr(interim.time, "monotonic", lambda: 112.0)
    text = "decisions are being compiled (since 12 s; takes about 90 s once)"
    assert (one.lasts, one.sentence()) == (True, text)
