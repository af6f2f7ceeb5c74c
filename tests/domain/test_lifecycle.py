"""The transition table: what is in it, and that nothing else can happen."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import IllegalTransitionError, StateError
from scheduler.domain.lifecycle import (
    ACTIVE,
    FINAL,
    TRANSITIONS,
    AttemptState,
    EventName,
    JobState,
    next_state,
)

LEGAL = {
    "QUEUED": {
        "updated": "QUEUED",
        "placed": "STARTING",
        "cancelled": "CANCELLED",
        "dependency-unmet": "CANCELLED",
    },
    "STARTING": {
        "started": "RUNNING",
        "succeeded": "SUCCEEDED",
        "failed": "FAILED",
        "retried": "QUEUED",
        "lost": "QUEUED",
        "preempted": "QUEUED",
        "cancel-requested": "CANCELLING",
    },
    "RUNNING": {
        "succeeded": "SUCCEEDED",
        "failed": "FAILED",
        "retried": "QUEUED",
        "lost": "QUEUED",
        "preempted": "QUEUED",
        "preempt-requested": "PREEMPTING",
        "cancel-requested": "CANCELLING",
    },
    "PREEMPTING": {
        "succeeded": "SUCCEEDED",
        "failed": "FAILED",
        "retried": "QUEUED",
        "lost": "QUEUED",
        "preempted": "QUEUED",
        "cancel-requested": "CANCELLING",
    },
    "CANCELLING": {"cancelled": "CANCELLED", "succeeded": "SUCCEEDED"},
    "SUCCEEDED": {},
    "FAILED": {},
    "CANCELLED": {},
}


@pytest.mark.parametrize(("state", "event"), list(product(JobState, EventName)))
def test_every_pair_is_in_the_table_or_refused(state, event):
    after = LEGAL[state].get(event)
    if after is not None:
        assert next_state(state, event) is JobState(after)
        return
    with pytest.raises(IllegalTransitionError) as caught:
        next_state(state, event)
    assert caught.value.message == f"a job that is {state} cannot be {event}"
    legal = ", ".join(sorted(LEGAL[state])) or "nothing, it is final"
    assert caught.value.fields == {"state": f"from {state} only: {legal}"}
    assert isinstance(caught.value, StateError)


def test_final_and_active_states_are_told_from_the_rest():
    assert {state for state in JobState if state.final} == FINAL
    assert {state for state in JobState if state.active} == ACTIVE
    assert not FINAL & ACTIVE
    assert {state for state in JobState if not LEGAL[state]} == FINAL
    running = {AttemptState.STARTING, AttemptState.RUNNING}
    assert {state for state in AttemptState if not state.final} == running


def test_every_state_leads_to_an_end_and_can_be_reached():
    reached = {JobState.QUEUED}
    ending = set(FINAL)
    for _ in JobState:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
        ending |= {before for (before, _), after in TRANSITIONS.items() if after in ending}
    assert reached == ending == set(JobState)


@given(st.lists(st.sampled_from(EventName), max_size=30))
def test_a_final_state_is_never_left(events):
    state = JobState.QUEUED
    for event in events:
        try:
            after = next_state(state, event)
        except IllegalTransitionError:
            continue
        assert not state.final
        state = after
