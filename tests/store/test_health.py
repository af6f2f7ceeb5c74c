"""What goes wrong with the database while a service runs, and what the store says then."""

import os
import shutil
from pathlib import Path

import pytest

from scheduler.domain.errors import InputError, OutageError
from scheduler.store.sql import SqlStore
from scheduler.testing.samples import job_spec, submitted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "fulcrum.sqlite"


@pytest.mark.parametrize("part", ["fulcrum.sqlite", "fulcrum.sqlite-wal"])
@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
def test_what_is_out_of_its_place_is_not_written(
    store: SqlStore, file: Path, part: str, how: str
) -> None:
    submitted(store)
    victim = file.with_name(part)
    match how:
        case "removed":
            victim.unlink()
        case "renamed":
            victim.rename(victim.with_name("elsewhere"))
        case "replaced":
            shutil.copy(victim, victim.with_name("copy"))
            victim.with_name("copy").replace(victim)
    with pytest.raises(OutageError, match=f"{part} (is gone|has been replaced)"):
        submitted(store)
    (problem,) = store.health()
    assert part in problem
    with pytest.raises(OutageError, match=part):
        store.check()


def test_a_file_that_is_put_back_is_written_again(store: SqlStore, file: Path) -> None:
    submitted(store)
    aside = file.with_name("aside")
    file.rename(aside)
    assert store.health()
    aside.rename(file)
    assert store.health() == ()
    assert [job.id for job in submitted(store)] == [2]


def test_damage_seen_once_is_remembered(store: SqlStore, file: Path) -> None:
    submitted(store)
    with file.open("r+b") as damaged:
        damaged.write(b"\0" * 4096)
    assert "damaged" in store.health()[0]
    with pytest.raises(OutageError, match="restore a backup"):
        submitted(store)


def test_a_file_cut_short_is_damage(url: str, file: Path) -> None:
    first = SqlStore(url)
    submitted(first)
    first.close()  # which brings the log into the file
    store = SqlStore(url)
    assert store.health() == ()
    os.truncate(file, 4096)
    assert "cut short" in store.health()[0]
    store.close()


def test_a_service_does_not_start_on_damage(url: str, file: Path) -> None:
    store = SqlStore(url)
    for _ in range(50):
        submitted(store)
    store.close()
    data = bytearray(file.read_bytes())
    data[8192:-4096] = b"\xff" * len(data[8192:-4096])
    file.write_bytes(data)
    with pytest.raises(InputError, match="damaged") as caught:
        SqlStore(url, service=True)
    assert "fulcrum restore" in caught.value.fields["store.url"]


def test_a_full_disk_is_said_and_passes(store: SqlStore) -> None:
    submitted(store)
    with store._database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    assert isinstance(pages, int)

    def limit(most: int) -> None:
        with store._database._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    limit(pages)
    with pytest.raises(OutageError, match="is full"):
        submitted(store, *[job_spec()] * 1000)
    count = len(store.live()[0])
    assert [event.job for event in store.events()] == [job.id for job in store.live()[0]]
    limit(1_000_000)
    assert [job.id for job in submitted(store)] == [count + 1]
