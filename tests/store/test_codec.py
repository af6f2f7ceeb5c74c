import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import json_values
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind, JobSpec, Profile, Retry
from scheduler.domain.records import Row
from scheduler.domain.resources import Request
from scheduler.store import codec
from scheduler.testing.samples import job_spec

numbers = st.floats(allow_nan=False, allow_infinity=False)
odd = st.text(st.characters())
"""Also halves of characters, which nothing can store."""
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
requests = st.builds(
    lambda devices, low, more, memory: Request(tuple(devices), low, low + more, memory),
    st.lists(texts, min_size=1, max_size=3),
    st.integers(1, 64),
    st.integers(0, 64),
    st.integers(0, codec.LARGEST_INT),
)
specs = st.builds(
    JobSpec,
    kind=st.sampled_from(JobKind),
    work=st.dictionaries(texts, values, max_size=4),
    profile=st.builds(Profile, texts, numbers, numbers),
    name=texts,
    user=texts,
    project=texts,
    request=requests,
    priority=st.integers(0, 100),
    preference=st.none() | st.floats(0, 1),
    deadline=st.none() | numbers,
    budget=st.none() | numbers,
    after=st.lists(st.integers(1), max_size=3).map(tuple),
    retry=st.builds(Retry, st.integers(1, 9), numbers),
    max_duration_s=st.none() | numbers,
)


@given(specs)
@settings(max_examples=30, deadline=None)
def test_a_spec_comes_back_equal(spec: JobSpec) -> None:
    assert codec.job_spec(json.loads(codec.dumps(codec.job_spec_json(spec)))) == spec
    assert codec.stored(spec) == spec


@given(
    st.builds(
        Row,
        st.integers(0, 2**60),
        st.text(),
        st.integers(1, 999),
        st.floats(allow_nan=False),
        st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=4),
    )
)
@settings(max_examples=40, deadline=None)
def test_a_candidate_row_comes_back_equal(row: Row) -> None:
    assert codec.row(json.loads(codec.dumps(codec.row_json(row)))) == row


@given(
    st.recursive(values | odd | st.floats() | st.binary(), lambda inner: st.tuples(inner, inner))
)
@settings(max_examples=60, deadline=None)
def test_plain_is_json_whatever_was_given(value: Any) -> None:
    plain = json_values.plain(value)
    assert json.loads(codec.dumps(plain)) == plain


def test_a_spec_stored_before_a_field_existed_takes_its_default() -> None:
    data = codec.job_spec_json(job_spec(name="old"))
    del data["max_duration_s"], data["retry"]["backoff_s"]
    assert codec.job_spec(json.loads(codec.dumps(data))) == job_spec(name="old")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"deadline": float("inf")}, "deadline"),
        ({"budget": float("nan")}, "budget"),
        ({"profile": Profile("k", float("nan"))}, "profile"),
        ({"work": {"lr": complex(1)}}, "work"),
        ({"request": Request(memory_bytes=2**63)}, "memory"),
    ],
)
def test_what_cannot_be_stored_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        codec.stored(job_spec(**fields))
    assert list(caught.value.fields) == [field]


def test_work_that_contains_itself_is_refused() -> None:
    work: dict[str, Any] = {}
    work["again"] = work
    with pytest.raises(InputError, match="work"):
        codec.stored(job_spec(work=work))
