import os
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine

from scheduler.domain.errors import OutageError, StateError
from scheduler.store.sql import SqlStore
from scheduler.store.sql.database import Database
from scheduler.testing.samples import decision, job_spec, measurement, placed, submission, submitted
from scheduler.testing.stores import StoreContract


class SqlContract(StoreContract):
    def test_everything_is_there_after_reopening(
        self, store: SqlStore, open_store: Callable[[], SqlStore]
    ) -> None:
        asked = submission(job_spec(name="kept"), key="k", digest="d")
        store.submit([asked])
        job, attempt = placed(store, store.job(1), 0, 1)
        store.record([], [decision(1)])
        store.measure(measurement())
        store.set_settings({"policy": "sjf"})
        events = store.events()
        store.close()
        again = open_store()
        assert again.submit([asked]) == [[job]]
        assert again.live() == ([job], [attempt])
        assert again.events() == events
        assert again.decisions(1) == [decision(1)]
        assert again.measurements() == [measurement()]
        assert again.setting("policy") == "sjf"
        assert [job.id for job in submitted(again)] == [2]

    def test_two_services_share_one_database(
        self, store: SqlStore, open_store: Callable[[], SqlStore]
    ) -> None:
        other = open_store()
        (job,) = submitted(store)
        assert other.live() == ([job], [])
        job, attempt = placed(store, job)
        assert other.live() == ([job], [attempt])
        submitted(other)
        assert [one.id for one in store.live()[0]] == [1, 2]

    def test_thousands_at_once(self, store: SqlStore) -> None:
        """More than one statement's worth of parameters."""
        count = 12_000
        jobs = submitted(store, *[job_spec()] * count)
        assert [job.id for job in store.live()[0]] == [job.id for job in jobs]
        (refused,) = store.submit([submission(job_spec(after=tuple(range(1, count + 2))))])
        assert refused.message == f"no such job: {count + 1}"

    def test_a_second_service_is_refused(self, url: str, store: SqlStore) -> None:
        """By name of the first; who only reads and writes beside it is not."""
        first = SqlStore(url, service=True)
        with pytest.raises(StateError, match=f"process {os.getpid()}"):
            SqlStore(url, service=True)
        submitted(store)
        first.close()
        SqlStore(url, service=True).close()


class TestSqlite(SqlContract):
    pass


class TestPostgresql(SqlContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def test_a_hold_that_was_lost_is_taken_again_or_missed(self, url: str) -> None:
        """A database that was restarted has ended the sessions, and with them the hold."""
        first = SqlStore(url, service=True)
        engine = create_engine(Database(url).url)
        with engine.begin() as connection:
            end_others = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            connection.exec_driver_sql(end_others)
        hold = first._database._service_lock
        assert hold is not None
        hold.doubt()
        assert first.health() == ()  # nobody else came
        with pytest.raises(StateError):
            SqlStore(url, service=True)
        with engine.begin() as connection:
            connection.exec_driver_sql(end_others)
        second = SqlStore(url, service=True)
        hold.doubt()
        assert "no longer has the database to itself" in first.health()[0]
        with pytest.raises(OutageError, match="no longer has the database to itself"):
            submitted(first)
        submitted(second)
        for store in (first, second):
            store.close()
        engine.dispose()
