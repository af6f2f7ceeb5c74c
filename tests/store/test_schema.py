import multiprocessing
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from scheduler.domain.errors import InputError, OutageError
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState
from scheduler.store.sql import SqlStore, rows, schema, tables
from scheduler.store.sql.database import Database
from scheduler.store.sql.tables import metadata
from scheduler.testing.samples import decision, job_spec, placed, submission, submitted


def test_tables_and_migrations_describe_the_same_schema(url: str, store: SqlStore) -> None:
    database = Database(url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_an_older_database_is_upgraded_with_what_it_holds(url: str) -> None:
    database = Database(url)
    with database.write() as connection:
        schema.upgrade(connection, "0001")
    database.close()
    file = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO settings VALUES ('policy', '\"sjf\"')")
    store = SqlStore(url)
    assert store.setting("policy") == "sjf"
    submitted(store)
    store.record([], [decision(1)])
    assert store.decisions(1) == [decision(1)]
    store.close()


def drop_later_tables(connection: sqlite3.Connection) -> None:
    """As before schema 0006."""
    for table in ("leader", "requests", "nodes", "node_events", "trials", "sweeps"):
        connection.execute(f"DROP TABLE {table}")
    for column in ("array_number", "sweep"):
        connection.execute(f"DROP INDEX ix_jobs_{column}_id")
        connection.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
    connection.execute("ALTER TABLE attempts DROP COLUMN nodes")


def test_jobs_and_attempts_of_before_nonces_are_kept_and_have_none(url: str) -> None:
    store = SqlStore(url)
    placed(store, submitted(store)[0], 0)
    store.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        for table in ("jobs", "attempts"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN nonce")
            connection.execute(f"ALTER TABLE {table} DROP COLUMN lost_s")
        for column in ("preemptions", "progress", "ran_s"):
            connection.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
        drop_later_tables(connection)
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    store = SqlStore(url)
    (job,), (attempt,) = store.live()
    assert (job.nonce, attempt.nonce) == ("", "")
    assert (job.preemptions, job.progress, job.lost_s, attempt.lost_s) == (0, 0.0, 0.0, 0.0)
    first, second = submitted(store, job_spec(), job_spec())
    assert len({first.nonce, second.nonce, ""}) == 3
    assert store.job(first.id).nonce == first.nonce
    store.close()


def test_the_run_time_of_earlier_attempts_is_added_up(url: str) -> None:
    store = SqlStore(url)
    first, second = submitted(store, job_spec(), job_spec())
    placed(store, first, 0)
    store.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE attempts SET started_at = 100.0, finished_at = 130.5")
        connection.execute("ALTER TABLE jobs DROP COLUMN ran_s")
        drop_later_tables(connection)
        connection.execute("UPDATE alembic_version SET version_num = '0004'")
    store = SqlStore(url)
    assert (store.job(first.id).ran_s, store.job(second.id).ran_s) == (30.5, 0.0)
    store.close()


def test_a_failed_migration_leaves_the_old_schema(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(url)
    with database.write() as connection:
        schema.upgrade(connection, "0001")
        connection.exec_driver_sql("CREATE TABLE measurements (in_the_way INTEGER)")
    with pytest.raises(OutageError, match="already exists"):
        SqlStore(url)
    with database.read() as connection:
        assert schema.version(connection) == "0001"
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE measurements")
    database.close()
    SqlStore(url).close()


def test_a_newer_database_is_refused(url: str, store: SqlStore) -> None:
    store.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError, match="schema 9999, made by a newer Fulcrum") as caught:
        SqlStore(url)
    assert "store.url" in caught.value.fields


def test_someone_elses_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photos.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    with pytest.raises(InputError, match="other tables: photos"):
        SqlStore(f"sqlite:///{file}")


@pytest.mark.parametrize("damage", ["no database", "overwritten"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "f.sqlite"
    if damage == "overwritten":
        SqlStore(f"sqlite:///{file}").close()
        content = file.read_bytes()
        file.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    else:
        file.write_text("These are my notes, not a database." * 100)
    with pytest.raises(InputError, match=r"f\.sqlite is damaged or is not a SQLite database"):
        SqlStore(f"sqlite:///{file}")


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "sqlite:////proc/f.sqlite"],
)
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        SqlStore(url)
    assert list(caught.value.fields) == ["store.url"]


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot open"):
        SqlStore(f"sqlite:///{tmp_path}")


def test_only_this_user_can_read_it(url: str, store: SqlStore) -> None:
    submitted(store)
    file = Path(url.removeprefix("sqlite:///"))
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in file.parent.iterdir()} == {0o600}


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    SqlStore(f"sqlite:///{tmp_path}/f.sqlite").close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_removed_file_is_noticed(url: str, store: SqlStore) -> None:
    Path(url.removeprefix("sqlite:///")).unlink()
    with pytest.raises(OutageError, match="removed"):
        store.check()


def test_a_writer_elsewhere_makes_it_unavailable_then_not(url: str) -> None:
    store = SqlStore(url, busy_timeout_s=0.05)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutageError, match="locked"):
        store.submit([submission()])
    assert store.live() == ([], [])
    other.execute("ROLLBACK")
    other.close()
    assert [job.id for job in submitted(store)] == [1]
    store.close()


def test_every_connection_is_durable_and_keeps_foreign_keys(url: str, store: SqlStore) -> None:
    database = Database(url)
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_database_itself_forbids_a_second_holder(url: str, store: SqlStore) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("INSERT INTO held_devices VALUES ('cpu', 0, 1, 1)")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO held_devices VALUES ('cpu', 0, 2, 1)")


def test_a_new_row_names_every_column() -> None:
    """One that is left out would silently take the column's default."""
    job = Job(1, job_spec(), JobState.QUEUED, "waiting", 1.0)
    assert set(rows.new_job(job, "{}")) == set(tables.jobs.columns.keys())
    assert {"seq", *rows.submitted(job, "me")} == set(tables.events.columns.keys())


def test_an_open_database_needs_no_alembic(url: str, store: SqlStore) -> None:
    script = (
        "import sys; from scheduler.store.sql import SqlStore; SqlStore(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, url], check=False).returncode == 0


@pytest.mark.slow
def test_processes_that_start_together_do_not_collide(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as processes:
        ids = list(processes.map(_open_and_submit, [url] * 3))
    assert sorted(ids) == [1, 2, 3]


def test_what_was_acknowledged_survives_kill_9(url: str, store: SqlStore) -> None:
    script = (
        "import sys; from scheduler.store.sql import SqlStore\n"
        "from scheduler.testing.samples import submitted\n"
        "store = SqlStore(sys.argv[1])\n"
        "while True: print(submitted(store)[0].id, flush=True)"
    )
    command = [sys.executable, "-c", script, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().splitlines()]
    stored = [job.id for job in store.live()[0]]
    assert set(acknowledged) <= set(stored)
    assert [event.job for event in store.events()] == stored


def _open_and_submit(url: str) -> int:
    store = SqlStore(url)
    (job,) = submitted(store, job_spec())
    store.close()
    return job.id
