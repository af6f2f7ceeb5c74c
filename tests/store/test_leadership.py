"""Of services that share a database one leads; a leader whose time is over writes nothing."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine

from scheduler.domain.errors import (
    IllegalTransitionError,
    LostLeadershipError,
    MissingError,
    OutageError,
    StateError,
)
from scheduler.store.base import JobQuery
from scheduler.store.sharing import ChangeRequest
from scheduler.store.sql import SqlStore
from scheduler.store.sql.database import Database
from scheduler.store.sql.sharing import lease
from scheduler.store.sql.sharing.listener import Listener
from scheduler.testing.samples import submitted
from tests.support.waiting import until

Open = Callable[..., SqlStore]


@pytest.fixture
def open_store(postgres_url: str) -> Iterator[Open]:
    opened: list[SqlStore] = []

    def open_one(**options: bool) -> SqlStore:
        opened.append(SqlStore(postgres_url, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def end_sessions(postgres_url: str) -> Iterator[Callable[[], None]]:
    """End every session of the database, as its restart does."""
    engine = create_engine(Database(postgres_url).url)

    def end() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    yield end
    engine.dispose()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are not renewed, as if their holders were stopped."""
    monkeypatch.setattr(lease, "RENEW_S", 3600.0)


def count(store: SqlStore) -> int:
    return store.count(JobQuery())


def test_the_second_leads_when_the_first_has_ended_and_not_before(open_store: Open) -> None:
    first, second = open_store(), open_store()
    assert first.leader() is None
    assert first.lead()
    assert first.lead(), "asked again it leads still"
    assert not second.lead()
    assert (first.epoch, second.epoch) == (1, None)
    first.announce("http://one:8470")
    found = second.leader()
    assert found is not None
    assert (found.address, found.epoch) == ("http://one:8470", 1)
    assert 0 < found.left_s <= lease.TTL_S
    first.close()
    until(second.lead)
    assert second.epoch == 2
    found = second.leader()
    assert found is not None
    assert found.address == ""
    submitted(second)


def test_a_leader_that_renews_its_lease_stays(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    first, second = open_store(), open_store()
    assert first.lead()
    seen: set[float] = set()

    def renewed() -> bool:
        assert not second.lead()
        found = second.leader()
        assert found is not None
        seen.add(found.left_s)
        return len(seen) > 1 and max(seen) > min(seen)

    until(renewed)
    submitted(first)


@pytest.mark.usefixtures("hanging")
def test_a_leader_that_hangs_is_replaced_and_then_writes_nothing(open_store: Open) -> None:
    first, second = open_store(), open_store()
    assert first.lead()
    submitted(first)
    told: list[str] = []
    first.when_deposed(told.append)
    until(second.lead)
    assert second.epoch == 2
    with pytest.raises(LostLeadershipError, match="epoch 1 is over"):
        submitted(first)
    with pytest.raises(LostLeadershipError):
        first.set_settings({"policy": "sjf"})
    assert count(second) == 1
    assert "another service leads" in first.health()[0]
    assert len(told) == 1
    first.when_deposed(told.append)
    assert len(told) == 2, "whoever asks too late is told at once"
    submitted(second)
    assert count(first) == 2, "what it reads is still true"


@pytest.mark.usefixtures("hanging")
def test_what_a_leader_had_begun_to_write_when_it_stopped_is_gone(open_store: Open) -> None:
    """It holds the lock of writers meanwhile, which must not keep the next one from leading."""
    first, second = open_store(), open_store()
    assert first.lead()
    begun, leads = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        try:
            with first._database.write() as connection:
                connection.exec_driver_sql("INSERT INTO settings VALUES ('policy', '1')")
                begun.set()
                assert leads.wait(60)
        except OutageError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(60)
    until(second.lead)
    second.set_settings({"policy": "sjf"})
    leads.set()
    writer.join()
    assert failures
    assert second.setting("policy") == "sjf"


def test_a_leader_goes_on_after_the_database_was_restarted_unless_another_came(
    open_store: Open, end_sessions: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 3600.0)
    first = open_store(service=True)
    end_sessions()
    first._database._service_lock.doubt()
    assert first.health() == ()
    assert first.epoch == 1
    with pytest.raises(StateError):
        open_store(service=True)
    end_sessions()
    second = open_store(service=True)
    with pytest.raises(OutageError, match="no longer has the database to itself"):
        submitted(first)
    assert "no longer has the database to itself" in first.health()[0]
    submitted(second)
    assert count(second) == 1


def test_a_second_service_is_told_how_it_can_follow(open_store: Open) -> None:
    open_store(service=True)
    with pytest.raises(StateError) as caught:
        open_store(service=True)
    assert "take over" in caught.value.fields["standby"]


def test_one_that_gave_up_leading_may_lead_again(open_store: Open) -> None:
    first = open_store()
    assert first.lead()
    first.resign()
    assert first.epoch is None
    until(first.lead)
    assert first.epoch == 2
    submitted(first)


def test_each_role_hears_what_the_other_writes(open_store: Open, monkeypatch) -> None:
    monkeypatch.setattr("scheduler.store.sql.sharing.listener.POLL_S", 3600.0)
    leader, follower = open_store(), open_store()
    assert leader.lead()
    heard: list[str] = []
    ears = [
        leader.listen(lambda: heard.append("leader")),
        follower.listen(lambda: heard.append("follower")),
    ]
    until(lambda: set(heard) == {"leader", "follower"})  # each is called once at first
    heard.clear()
    submitted(follower)
    until(lambda: heard)
    assert set(heard) == {"leader"}
    heard.clear()
    submitted(leader)
    until(lambda: heard)
    assert set(heard) == {"follower"}
    for ear in ears:
        ear.close()


def test_a_listener_hears_again_after_the_database_was_restarted(
    open_store: Open, end_sessions: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.store.sql.sharing.listener.POLL_S", 3600.0)
    leader, follower = open_store(), open_store()
    assert leader.lead()
    calls: list[int] = []
    ear = leader.listen(lambda: calls.append(1))
    assert isinstance(ear, Listener)
    until(lambda: calls)
    end_sessions()
    known = len(calls)
    until(lambda: len(calls) > known)
    known = len(calls)
    submitted(follower)
    until(lambda: len(calls) > known)
    ear.close()


def test_requests_are_answered_once_and_errors_keep_their_kind(open_store: Open) -> None:
    leader, follower = open_store(), open_store()
    stop = ChangeRequest("cancel", 1, "ann", {"reason": "too slow"})
    change = ChangeRequest("update", 2, "bob", {"changes": {"priority": 3}})
    ids = follower.ask([stop, change, stop])
    assert ids == sorted(ids)
    assert leader.asked() == {ids[0]: stop, ids[1]: change, ids[2]: stop}
    assert follower.answered(ids) == {}
    leader.answer({ids[0]: None, ids[1]: MissingError("there is no job 2", {"job": "known"})})
    assert leader.asked() == {ids[2]: stop}
    found = follower.answered(ids)
    assert found[ids[0]] is None
    error = found[ids[1]]
    assert isinstance(error, MissingError)
    assert (error.message, error.fields) == ("there is no job 2", {"job": "known"})
    leader.answer({ids[2]: IllegalTransitionError("job 1 has ended")})
    assert isinstance(follower.answered(ids)[ids[2]], IllegalTransitionError)
    assert follower.ask([]) == []


def test_old_answers_are_removed(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.store.sql.sharing.requests.KEPT_S", -1.0)
    store = open_store()
    (number,) = store.ask([ChangeRequest("cancel", 1, "ann", {})])
    (waits,) = store.ask([ChangeRequest("cancel", 2, "ann", {})])
    store.answer({number: None})
    assert store.answered([number]) == {}
    assert list(store.asked()) == [waits]
