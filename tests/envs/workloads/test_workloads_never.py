"""Any text is a workload or an `InputError` that says why not."""

import json

from hypothesis import given
from hypothesis import strategies as st

from envs.workloads.base import Workload
from envs.workloads.traces import formats, gavel, muri, native, openb, philly, swf
from envs.workloads.traces.documents import Document
from scheduler.domain.errors import InputError

FIELDS = st.one_of(
    st.integers(-3, 10**20).map(str),
    st.floats().map(str),
    st.sampled_from(["", "-1", "1e400", "0", "1", "2017-10-09 07:01:55", "A|B", "|", '"', "x"]),
    st.text(max_size=6),
)


def rows(columns, separator):
    row = st.lists(FIELDS, min_size=columns - 1, max_size=columns + 1).map(separator.join)
    return st.lists(row, max_size=6).map("\n".join)


def answer(reader, text):
    """What the reader says; None if it refuses with an explanation."""
    try:
        return reader(Document("any", text))
    except InputError as error:
        explained = bool(error.fields)
    assert explained
    return None


def check(reader, text):
    found = answer(reader, text)
    if found is None:
        return
    assert isinstance(found, Workload)
    assert found.jobs
    assert all(run.width >= 1 and run.runtime_s >= 0 for job in found.jobs for run in job.runs)
    assert all(job.submitted_at >= 0 for job in found.jobs)


@given(st.one_of(rows(18, " "), st.text()))
def test_swf(text):
    check(swf.parse, text)


@given(rows(len(philly.COLUMNS), ","))
def test_philly(text):
    check(philly.parse, f"{','.join(philly.COLUMNS)}\n{text}")


@given(rows(len(muri.COLUMNS), ","))
def test_muri(text):
    check(muri.parse, f"{','.join(muri.COLUMNS)}\n{text}")


@given(rows(len(openb.PODS), ","), st.integers(1, 10))
def test_openb(text, slices):
    header = ",".join(openb.PODS)
    check(lambda document: openb.parse(document, slices=slices), f"{header}\n{text}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["submitted_at", "runs", "priority", "memory_bytes", "deadline", "user"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON.map(json.dumps) | st.text(), max_size=4).map("\n".join))
def test_native(text):
    check(native.parse, text)


@given(JSON.map(json.dumps) | st.text())
def test_gavel(text):
    answer(gavel.parse, text)


@given(st.text())
def test_guessing(text):
    assert answer(formats.guess, text) in (None, *formats.FORMATS)


def test_deep_nesting():
    check(native.parse, "[" * 100_000)
    assert answer(gavel.parse, "[" * 100_000) is None
