"""Kill and stop the leader of two services under load, and measure the take-over.

python -m benchmarks.takeover [--rounds 5] [--database postgresql://…] [--json]

Two `fulcrum serve --standby` share a PostgreSQL database (a private one unless named) and a data
folder. A client submits 20 jobs a second to both. Each round kills the leader with SIGKILL, or
stops it with SIGSTOP and continues it once the follower leads. Three times are measured from the
signal: until the follower says that it leads, until it has placed a job, and the longest that a
submission took meanwhile.

At the end every accepted job must have ended well in one attempt, each attempt must have run once,
and no event may have been written by a leader after its successor's first. Otherwise the exit code
is 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine

from benchmarks.takeover.load import Load
from benchmarks.takeover.pair import Pair, StandbyProcess, pair, wait_for
from scheduler.domain.lifecycle import EventName
from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore
from scheduler.store.sql.database import Database
from tests.support import postgres

LIMITS_S = {"killed": 1.0, "hangs": 5.0}
"""Seconds until the follower leads, on a machine that is not overloaded."""
WATCH = """
CREATE TABLE written (seq BIGINT, session TEXT);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO written VALUES (NEW.seq, current_setting('application_name')); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON events FOR EACH ROW WHEN (NEW.name <> 'submitted')
EXECUTE FUNCTION note();
"""
"""Notes which session wrote each event but submissions, which every service writes."""
Times = dict[str, list[float]]


def replace(kind: str, running: list[StandbyProcess], store: SqlStore) -> tuple[float, float]:
    """Fell the leader: seconds until the follower leads, and until it has placed a job."""
    leader, follower = running
    begun = time.time()
    leader.popen.send_signal(signal.SIGKILL if kind == "killed" else signal.SIGSTOP)
    leads_s = wait_for(lambda: follower.leads, "the follower does not take over")
    placed_s = _placed_after(store, begun) - begun
    if kind == "hangs":
        leader.popen.send_signal(signal.SIGCONT)
    return leads_s, placed_s


def repair(kind: str, made: Pair, running: list[StandbyProcess]) -> None:
    """Let the other service lead, and the felled one follow."""
    leader, follower = running
    if kind == "hangs":
        fresh = made.again(leader)
    else:
        leader.stop()
        fresh = made.start()
    running[:] = [follower, fresh]


def _placed_after(store: SqlStore, begun: float) -> float:
    """Unix seconds of the first placement after `begun`."""
    seq = 0
    end = time.monotonic() + 120
    while time.monotonic() < end:
        while page := store.events(after=seq, limit=1000):
            seq = page[-1].seq
            for event in page:
                if event.name is EventName.PLACED and event.time > begun:
                    return event.time
        time.sleep(0.01)
    raise RuntimeError("nothing was placed after the take-over")


def broken(load: Load, starts: Path, store: SqlStore, written: list[tuple[int, str]]) -> list[str]:
    """The promises that were broken, as sentences."""
    found = []
    if missing := sorted(set(load.accepted.values()) - set(_states(store))):
        found.append(f"accepted jobs are missing: {missing[:5]}")
    if len(set(load.accepted.values())) != len(load.accepted):
        found.append("two submissions were answered with the same job")
    wrong = [f"{job} {state}" for job, state in _states(store).items() if state != "SUCCEEDED"]
    if wrong:
        found.append(f"jobs did not end well: {wrong[:5]}")
    ran = Counter(starts.read_text().split())
    if twice := [attempt for attempt, count in ran.items() if count > 1]:
        found.append(f"attempts ran more than once: {twice[:5]}")
    if len(ran) != len(load.accepted):
        found.append(f"{len(load.accepted)} jobs were accepted, {len(ran)} attempts ran")
    ended: set[str] = set()
    before = ""
    for _, session in written:
        if session in ended:
            found.append(f"{session} wrote after another service led")
            break
        if session != before:
            ended |= {before}
            before = session
    return found


def _states(store: SqlStore) -> dict[int, str]:
    return {job.id: job.state.value for job in store.jobs(JobQuery(), limit=1_000_000)}


def measure(folder: Path, url: str, rounds: int) -> tuple[Times, Times, Load, list[str]]:
    """All rounds of both kinds: the times until it leads, until it places, and what broke."""
    starts = folder / "starts"
    work = {
        "argv": ["sh", "-c", 'echo "$FULCRUM_JOB.$FULCRUM_ATTEMPT" >> "$STARTS"'],
        "env": {"STARTS": str(starts)},
    }
    leads: Times = {kind: [] for kind in LIMITS_S}
    places: Times = {kind: [] for kind in LIMITS_S}
    store = SqlStore(url)
    engine = create_engine(Database(url).url)
    with engine.begin() as connection:
        connection.exec_driver_sql(WATCH)
    try:
        with pair(folder, url) as (made, running):
            load = Load(running, work)
            load.start()
            with load.flowing():
                wait_for(starts.exists, "no job starts")
            for kind in list(LIMITS_S) * rounds:
                with load.flowing():
                    time.sleep(1.0)
                    leads_s, places_s = replace(kind, running, store)
                    leads[kind].append(leads_s)
                    places[kind].append(places_s)
                    time.sleep(1.0)
                repair(kind, made, running)
            load.stop()
            wait_for(lambda: not store.live()[0], "not every job ends")
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT seq, session FROM written ORDER BY seq")
            written = [(row[0], row[1]) for row in rows]
        return leads, places, load, broken(load, starts, store, written)
    finally:
        engine.dispose()
        store.close()


@contextmanager
def database(named: str | None, folder: Path) -> Iterator[str]:
    """The URL of the database that is named, or of a new one on a private server."""
    if named is not None:
        yield named
        return
    with postgres.database(postgres.server(folder / "postgres"), "takeover") as url:
        yield url


def main() -> int:
    """Measure and print; 1 if a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", help="an empty PostgreSQL database")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as name:
        folder = Path(name)
        with database(options.database, folder) as url:
            leads, places, load, faults = measure(folder / "services", url, options.rounds)
    if options.json:
        figures = {"leads_s": leads, "places_s": places, "longest_submission_s": load.longest_s}
        print(json.dumps({**figures, "accepted": len(load.accepted), "broken": faults}))
        return bool(faults)
    print(f"{options.rounds} rounds, {len(load.accepted)} jobs accepted under way:")
    for kind, limit in LIMITS_S.items():
        for what, found in (("leads", leads[kind]), ("has placed a job", places[kind])):
            p50, most = statistics.median(found), max(found)
            print(f"  leader {kind}: the follower {what} after p50 {p50:.2f} s, max {most:.2f} s")
        print(f"    (limit: leads within {limit:g} s)")
    print(
        f"  the longest submission took {load.longest_s:.2f} s, {load.refused} answers were "
        "neither 200 nor 201"
    )
    print("\n".join(f"BROKEN: {fault}" for fault in faults) or "  every promise was kept")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
