import os
from collections.abc import Callable

import pytest

from scheduler.domain.errors import StateError
from scheduler.store.sql import SqlStore
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

    @pytest.mark.slow
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
