import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine

from scheduler.store.sql import SqlStore
from scheduler.store.sql.database import Database
from scheduler.store.sql.tables import metadata
from scheduler.testing.samples import decision, job_spec, measurement, placed, submission, submitted
from scheduler.testing.stores import StoreContract

POSTGRES = os.environ.get("FULCRUM_TEST_POSTGRES")


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
        assert str(refused) == f"no such job: {count + 1}"


class TestSqlite(SqlContract):
    pass


@pytest.mark.skipif(POSTGRES is None, reason="FULCRUM_TEST_POSTGRES names no database")
class TestPostgresql(SqlContract):
    @pytest.fixture
    def url(self) -> Iterator[str]:
        url = str(POSTGRES)
        yield url
        engine = create_engine(Database(url).url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
            metadata.drop_all(connection)
        engine.dispose()
