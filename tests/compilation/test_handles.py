"""What compiled functions are passed, and what they do to it."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import numpy as np
import pytest

from scheduler.compilation.columns import (
    Bools,
    Bytes,
    Floats,
    Floats32x2D,
    Ints,
    Ints3D,
    columns_of,
)
from scheduler.compilation.functions import compiled, entry_point, why_plain
from scheduler.compilation.handles import handle_of

needs_numba = pytest.mark.skipif(why_plain() != "", reason="functions run as plain Python")
STEP = 10


@dataclass
class Table:
    floats: Floats
    ints: Ints
    flags: Bools
    small: Bytes
    grid: Floats32x2D
    cube: Ints3D
    note: str = "not a column"


def table() -> Table:
    return Table(
        np.arange(3.0),
        np.arange(4),
        np.zeros(2, np.bool_),
        np.zeros(2, np.uint8),
        np.zeros((2, 3), np.float32),
        np.zeros((2, 3, 4), np.int64),
    )


@compiled
def last(t: Table) -> float:
    return t.floats[-1] + t.ints[t.ints.size - 1]


@entry_point
def fill(t: Table, base: int, share: float, flag: bool) -> float:
    for i in range(t.grid.shape[0]):
        for j in range(t.grid.shape[1]):
            t.grid[i, j] = base + STEP * i + j
    row = t.cube[1, 2]
    for k in range(row.size):
        row[k] = k
    t.flags[1] = flag
    t.small[0] = 255
    t.floats[0] = share
    return last(t)


@entry_point
def first_of(values: Floats, count: int) -> float:
    return values[0] + count


def test_compiled_code_reads_and_writes_the_arrays_of_the_object() -> None:
    t = table()
    assert fill(handle_of(t), 100, 0.5, True) == 5.0
    np.testing.assert_array_equal(t.grid, [[100, 101, 102], [110, 111, 112]])
    np.testing.assert_array_equal(t.cube[1, 2], [0, 1, 2, 3])
    assert t.cube.sum() == 6
    assert (list(t.flags), list(t.small), t.floats[0]) == ([False, True], [255, 0], 0.5)


def test_a_handle_keeps_the_arrays_alive_and_a_new_one_sees_new_arrays() -> None:
    t = table()
    before = handle_of(t)
    old = t.floats
    t.floats = np.full(5, 9.0)
    after = handle_of(t)
    fill(after, 1, 7.0, False)
    assert (old[0], t.floats[0]) == (0.0, 7.0)
    if why_plain():
        return  # there is one object only
    del old
    gc.collect()
    assert fill(before, 1, 0.25, False) == 5.0


@needs_numba
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.arange(3), "of float64, 1-D; it is of int64, 1-D"),
        (np.zeros((3, 1)), "it is of float64, 2-D"),
        (np.zeros(6)[::2], "not writable and contiguous"),
        ([1.0], "an array, not list"),
        (None, "an array, not NoneType"),
    ],
)
def test_a_wrong_column_is_refused_by_name(wrong: object, words: str) -> None:
    t = table()
    t.floats = wrong  # type: ignore[assignment]
    with pytest.raises(TypeError, match=f"column 'floats' must be .*{words}"):
        handle_of(t)


@needs_numba
def test_a_read_only_column_is_refused() -> None:
    t = table()
    t.ints.flags.writeable = False
    with pytest.raises(TypeError, match="column 'ints' must be a writable"):
        handle_of(t)


def test_columns_are_what_is_annotated_as_such() -> None:
    columns = columns_of(Table)
    assert list(columns) == ["floats", "ints", "flags", "small", "grid", "cube"]
    assert str(columns["cube"]) == "int64, 3-D"


@needs_numba
def test_an_entry_point_has_one_signature_and_converts_only_what_is_exact() -> None:
    t = handle_of(table())
    assert fill(t, np.int32(1), 2, np.True_) == fill(t, 1, 2.0, True)  # type: ignore[arg-type]
    assert first_of(np.ones(1), True) == 2.0
    for wrong in ((t, 1.0, 1.0, True), (t, 1, 1.0, 1), (t, 1, "x", True), (1, 1, 1.0, True)):
        with pytest.raises(TypeError, match=r"^fill takes \(t: Table_\w+, base: int64, .* not \("):
            fill(*wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not \(array\(int64, 1d, C\), int64\)"):
        first_of(np.ones(1, np.int64), 1)  # type: ignore[arg-type]
    assert len(fill.dispatcher.signatures) == 1  # type: ignore[attr-defined]


@needs_numba
def test_constants_that_compiled_code_passes_compile_nothing_more() -> None:
    @compiled
    def plus(value: float, addend: int) -> float:
        return value + addend

    @entry_point
    def thrice(value: float) -> float:
        return plus(plus(plus(value, 1), 2), 3)

    assert thrice(1.0) == 7.0
    assert len(plus.dispatcher.signatures) == 1  # type: ignore[attr-defined]


@needs_numba
def test_an_entry_point_must_say_its_types() -> None:
    @entry_point
    def untyped(value):  # type: ignore[no-untyped-def]
        return value

    with pytest.raises(TypeError, match=r"parameter 'value' of .* must be annotated with int"):
        untyped(1)


def test_many_threads_may_call_first() -> None:
    @entry_point
    def double(value: float) -> float:
        return value * 2.0

    found: list[float] = []
    threads = [Thread(target=lambda: found.append(double(4.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [8.0] * 8


@needs_numba
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_handle_is_of_no_use_elsewhere(duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="make one for the copy of its owner"):
        duplicate(handle_of(table()))
