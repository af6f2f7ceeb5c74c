"""A second service takes over: every attempt runs once, and a leader that hung writes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from scheduler.store.sql.database import Database
from tests.crash.conftest import PATIENCE_S, Place
from tests.crash.driver import DEPOSED

JOBS = 9
WATCH = """
CREATE TABLE written (seq BIGINT, session TEXT);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO written VALUES (NEW.seq, current_setting('application_name')); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION note();
"""
"""Notes which session wrote each event."""


@pytest.fixture
def place(tmp_path: Path, postgres_url: str) -> Place:
    return Place(tmp_path, postgres_url)


def writers(url: str, pid: int) -> tuple[int, int]:
    """The last event that the process wrote, and the first that others wrote; 0: none."""
    engine = create_engine(Database(url).url)
    mine = f"session LIKE '%%, process {pid}, %%'"
    query = "SELECT coalesce({}(seq), 0) FROM written WHERE {}"
    with engine.connect() as connection:
        last = connection.exec_driver_sql(query.format("max", mine)).scalar_one()
        first = connection.exec_driver_sql(query.format("min", f"NOT {mine}")).scalar_one()
    engine.dispose()
    return last, first


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
def test_stopped_between_commit_and_launch_and_continued_later(place: Place, taken: bool) -> None:
    """The worst moment: both services want to launch the same attempt."""
    place.open_gate()
    place.store.check()
    engine = create_engine(Database(place.database).url)
    with engine.begin() as connection:
        connection.exec_driver_sql(WATCH)
    engine.dispose()
    options = ["--standby", "--jobs", str(JOBS), "--dies", "3", "--stops"]
    command = [*place.driver, *options, *(["--taken"] if taken else [])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        try:
            place.until(lambda: _stopped(first.pid))
            with place.service("--standby"):
                place.until(lambda: place.states() == {"SUCCEEDED": JOBS})
                first.send_signal(signal.SIGCONT)
                assert first.wait(PATIENCE_S) == DEPOSED
        finally:
            first.kill()
    assert len(place.lines("starts")) == JOBS
    assert place.lines("starts") == place.lines("ends") == [f"{job}.1" for job in range(1, 10)]
    last, first_of_others = writers(place.database, first.pid)
    assert 0 < last < first_of_others
    place.close()


@pytest.mark.slow
def test_killed_under_load_with_a_follower(place: Place) -> None:
    """What runs is adopted, what waits is started, once."""
    with place.service("--standby", "--jobs", "12") as first, place.service("--standby"):
        place.until(lambda: len(place.pids()) == 6)
        before = place.pids()
        first.kill()
        place.open_gate(1)
        place.until(lambda: place.states()["SUCCEEDED"] == 1)
        place.until(lambda: len(place.pids()) == 6)
        after = place.pids()
        assert {name: after[name] for name in before if name != "1.1"} == {
            name: pid for name, pid in before.items() if name != "1.1"
        }
        place.open_gate()
        place.until(lambda: place.states() == {"SUCCEEDED": 12})
    attempts = sorted(f"{job}.1" for job in range(1, 13))
    assert place.lines("starts") == place.lines("ends") == attempts
    place.close()


@pytest.mark.slow
def test_takeovers_of_real_services_over_http() -> None:
    """Killed and stopped under 20 submissions a second; the program checks every promise."""
    tried = subprocess.run(
        [sys.executable, "-m", "benchmarks.takeover", "--rounds", "1"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
