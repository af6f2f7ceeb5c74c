"""The helper that compares stored logs: what it accepts, what it reports, what it writes."""

import pytest

from tests.support import golden


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.delenv(golden.VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def store(monkeypatch):
    def stored(*arguments):
        with monkeypatch.context() as patched:
            patched.setenv(golden.VARIABLE, "write")
            patched.delenv("PYTEST_XDIST_WORKER", raising=False)
            golden.check(*arguments)

    return stored


def test_what_is_written_is_read_back(store):
    store("log", ["a 1", "b 2"])
    golden.check("log", iter(["a 1", "b 2"]))


def test_the_first_difference_is_shown_with_its_line(store):
    store("log", list("abcdefg"), "one")
    store("log", list("hijklmn"), "two")
    with pytest.raises(AssertionError) as raised:
        golden.check("log", list("hijklXY"), "two")
    assert str(raised.value).splitlines() == [
        "log.txt, line 15, is the first of 7 that differs (7 lines found)",
        "      j",
        "      k",
        "      l",
        "  expected 'm'",
        "  found    'X'",
        "If the change is meant, FULCRUM_GOLDEN=write stores the new log.",
    ]


@pytest.mark.parametrize("lines", [["a"], ["a", "b", "c"]])
def test_a_missing_or_further_line_is_a_difference(store, lines):
    store("log", ["a", "b"])
    with pytest.raises(AssertionError, match="the log ends here"):
        golden.check("log", lines)


def test_a_log_that_is_not_stored_is_an_error(store):
    store("log", ["a"], "one")
    for name, section in (("log", "two"), ("log", ""), ("other", "one")):
        with pytest.raises(AssertionError, match="has no section"):
            golden.check(name, ["a"], section)


def test_writing_a_section_keeps_the_others(store):
    store("log", ["a"], "one")
    store("log", ["b"], "two")
    store("log", ["c"], "one")
    golden.check("log", ["c"], "one")
    golden.check("log", ["b"], "two")
    assert golden.sections("log") == {"one", "two"}


def test_numbers_may_differ_by_the_tolerance_only(store):
    store("log", ["x 1.0 2"])
    golden.check("log", ["x 1.00001 2"], tolerance=1e-4)
    for line in ("x 1.001 2", "y 1.0 2", "x 1.0", "x nan 2"):
        with pytest.raises(AssertionError, match="first of 1"):
            golden.check("log", [line], tolerance=1e-4)
    with pytest.raises(AssertionError, match="first of 1"):
        golden.check("log", ["x 1.00001 2"])
