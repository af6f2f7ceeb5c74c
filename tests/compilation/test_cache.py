"""The cache of compiled functions, looked at by real processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compilation.kernels import PROGRAM, can_bind, run, write

pytest.importorskip("numba")
PYTHON = f"py{sys.version_info[0]}{sys.version_info[1]}"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A package in folders that may not be written."""
    package = write(tmp_path / "install")
    folders = [package, package.parent]
    (package / "__pycache__").mkdir()
    yield package
    for folder in (*folders, package / "__pycache__"):
        folder.chmod(0o755)


def lock(package: Path) -> None:
    for folder in (package / "__pycache__", package, package.parent):
        folder.chmod(0o555)


def test_the_second_process_compiles_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    first, _ = run(tmp_path)
    second, log = run(tmp_path)
    assert first == {
        "value": 7.0,
        "early": False,  # importing compiled functions does not import Numba
        "before": "cold",
        "after": "warm",
        "hits": 0,
        "compiled": 1,
    }
    assert second == {**first, "before": "warm", "hits": 1, "compiled": 0}
    assert log == ""


def test_a_change_of_a_constant_elsewhere_is_noticed(tmp_path: Path) -> None:
    package = write(tmp_path)
    run(tmp_path)
    (package / "constants.py").write_text("FACTOR = 5\n")
    changed, _ = run(tmp_path)
    assert (changed["value"], changed["before"], changed["compiled"]) == (11.0, "stale", 1)


@pytest.mark.slow
def test_a_change_of_a_called_function_is_noticed(tmp_path: Path) -> None:
    package = write(tmp_path)
    run(tmp_path)
    inner = package / "inner.py"
    inner.write_text(inner.read_text().replace("value * FACTOR", "value - FACTOR"))
    changed, _ = run(tmp_path)
    assert (changed["value"], changed["before"], changed["compiled"]) == (0.0, "stale", 1)


@pytest.mark.slow
def test_a_change_of_the_columns_is_noticed(tmp_path: Path) -> None:
    package = write(tmp_path)
    run(tmp_path)
    outer = package / "outer.py"
    outer.write_text(
        outer.read_text().replace("numbers: Floats", "other: Floats\n    numbers: Floats")
    )
    program = PROGRAM.replace("np.array([2.0])", "np.array([9.0]), np.array([2.0])")
    changed, _ = run(tmp_path, program=program)
    assert (changed["value"], changed["before"], changed["compiled"]) == (7.0, "stale", 1)


@pytest.mark.skipif(not can_bind(), reason="root may write everywhere, and setpriv is missing")
def test_a_warm_cache_in_a_read_only_folder_is_used(read_only: Path, tmp_path: Path) -> None:
    run(read_only.parent)
    lock(read_only)
    found, log = run(read_only.parent, bound=True, HOME="", XDG_CACHE_HOME=str(tmp_path / "user"))
    assert (found["before"], found["compiled"], log) == ("warm", 0, "")
    assert not (tmp_path / "user").exists()


@pytest.mark.slow
@pytest.mark.skipif(not can_bind(), reason="root may write everywhere, and setpriv is missing")
def test_the_user_keeps_what_a_read_only_folder_lacks(read_only: Path, tmp_path: Path) -> None:
    lock(read_only)
    user = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    first, log = run(read_only.parent, bound=True, **user)
    second, _ = run(read_only.parent, bound=True, **user)
    assert (first["compiled"], second["compiled"], log) == (1, 0, "")
    assert (first["before"], second["before"]) == ("cold", "warm")


@pytest.mark.slow
@pytest.mark.skipif(not can_bind(), reason="root may write everywhere, and setpriv is missing")
def test_without_any_folder_it_compiles_at_every_start_and_says_so(read_only: Path) -> None:
    lock(read_only)
    nowhere = str(read_only / "user")
    for _ in range(2):
        found, log = run(read_only.parent, bound=True, XDG_CACHE_HOME=nowhere)
        assert (found["value"], found["compiled"]) == (7.0, 1)
        assert log.count("compiled at every start") == 1
        assert len(log.splitlines()) == 1


def test_a_cache_folder_can_be_chosen(tmp_path: Path) -> None:
    package = write(tmp_path / "install")
    chosen = tmp_path / "chosen"
    run(tmp_path / "install", NUMBA_CACHE_DIR=str(chosen))
    assert list(chosen.rglob("*.nbi"))
    assert not list(package.rglob("*.nbi"))


@pytest.mark.slow
def test_other_cpus_have_their_own_code_beside(tmp_path: Path) -> None:
    write(tmp_path)
    run(tmp_path)
    other, _ = run(tmp_path, NUMBA_CPU_NAME="generic")
    again, _ = run(tmp_path)
    assert (other["before"], other["compiled"], other["value"]) == ("stale", 1, 7.0)
    assert (again["before"], again["compiled"]) == ("warm", 0)


@pytest.mark.parametrize("variable", ["FULCRUM_NO_NUMBA", "NUMBA_DISABLE_JIT"])
def test_plain_python_gives_the_same_and_one_warning(tmp_path: Path, variable: str) -> None:
    write(tmp_path)
    found, log = run(tmp_path, **{variable: "1"})
    assert (found["value"], found["after"]) == (7.0, "plain Python")
    assert log.count("plain Python") == 1
    assert variable in log


def test_a_numba_that_cannot_be_imported_is_done_without(tmp_path: Path) -> None:
    write(tmp_path)
    broken = tmp_path / "numba"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('Numba needs NumPy 2.5 or less')\n")
    program = PROGRAM.replace("plain = bool(functions.why_plain())", "plain = True")
    found, log = run(tmp_path, program=program)
    assert (found["value"], found["after"]) == (7.0, "plain Python")
    assert log.count("Numba needs NumPy 2.5 or less") == 1


def test_a_process_that_forks_after_loading(tmp_path: Path) -> None:
    write(tmp_path)
    program = """
import json, os
import numpy as np
from scheduler.compilation.handles import handle_of
from small_kernel.outer import Pair, first
pair = handle_of(Pair(np.array([2.0])))
here = first(pair, 1.0)
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, str(first(pair, 2.0)).encode())
    os._exit(0)
os.wait()
print(json.dumps({"here": here, "there": os.read(reading, 99).decode()}))
"""
    found, _ = run(tmp_path, program=program)
    assert found == {"here": 7.0, "there": "8.0"}


def test_the_module_compiles_ahead(tmp_path: Path) -> None:
    write(tmp_path)
    program = """
import json
from scheduler.compilation import warmup
warmup.PACKAGES = ("small_kernel", "no_such_package")
warmup.import_entry_points()
cold = warmup.report()
number = warmup.warm_up()
warm = warmup.report()
counts = [number, cold.missing, warm.missing]
print(json.dumps([counts, cold.state, warm.state, str(warm.folders[0])]))
"""
    found, _ = run(tmp_path, program=program)
    assert found == [[1, 1, 0], "cold", "warm", str(tmp_path / "small_kernel" / "__pycache__")]


WARM_UP = """
import json
from scheduler.compilation import warmup
warmup.PACKAGES = ("small_kernel",)
warmup.import_entry_points()
warmup.warm_up()
print(json.dumps({"state": warmup.report().state}))
"""


@pytest.mark.slow
def test_the_warm_up_deletes_what_no_function_reads(tmp_path: Path) -> None:
    package = write(tmp_path)
    folder = package / "__pycache__"
    run(tmp_path, program=WARM_UP)
    before = {file.name for file in folder.glob("*.nb[ci]")}
    other = [folder / "outer.first-0123456789abcdef.py27.nbi", folder / "note.nbi"]
    removed = [
        folder / f"outer.removed-0123456789abcdef.{PYTHON}.1.nbc",
        folder / f"no_such_module.first-0123456789abcdef.{PYTHON}.nbi",
    ]
    for file in (*other, *removed):
        file.touch()
    run(tmp_path, program=WARM_UP, NUMBA_OPT="1")
    assert {file.name for file in folder.glob("*.nb[ci]")} > before
    (package / "constants.py").write_text("FACTOR = 5\n")
    found, _ = run(tmp_path, program=WARM_UP)
    after = {file.name for file in folder.glob("*.nb[ci]")}
    usual = {name for name in after if "special" not in name} - {file.name for file in other}
    assert found["state"] == "warm"
    assert len(usual) == len(before)
    assert not usual & before
    assert all(file.exists() for file in other)
    assert not any(file.exists() for file in removed)
    assert any("special" in name for name in after)
