"""What is read of the metrics that a trial writes."""

import json

from scheduler.domain.groups.sweeps import EpochReport
from scheduler.service.paths import Paths
from scheduler.service.sweeps.epoch_reports import ReportReader


def write(paths, attempt, *rows, end="\n"):
    folder = paths.attempt(7, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("\n".join(json.dumps(row) for row in rows) + end)


def test_each_epoch_counts_once_and_nonsense_does_not(tmp_path):
    paths = Paths(tmp_path)
    reader = ReportReader(paths, 7, "loss")
    reader.read(1)
    assert reader.in_order() == ()
    write(
        paths,
        1,
        {"kind": "epoch", "epoch": 2, "loss": 0.5, "epochs": 4, "seconds": 1.5},
        {"kind": "epoch", "epoch": 1, "loss": 0.9},
        {"kind": "epoch", "epoch": 3, "loss": "much"},
        {"kind": "epoch", "epoch": 0, "loss": 1},
        {"kind": "epoch", "epoch": 3, "loss": None},
        {"kind": "epoch", "epoch": 3, "loss": True},
        {"kind": "progress", "loss": 7},
        {"kind": "test", "loss": 0.25},
        ["no", "object"],
    )
    reader.read(1)
    reports = (EpochReport(1, 0.9), EpochReport(2, 0.5, 1.5))
    assert (reader.in_order(), reader.epochs, reader.final) == (reports, 4, 0.25)
    write(
        paths,
        2,
        {"kind": "epoch", "epoch": 2, "loss": 0.1},
        {"kind": "epoch", "epoch": 3, "loss": 0.4},
    )
    reader.read(2)
    assert reader.in_order() == (*reports, EpochReport(3, 0.4))


def test_half_a_line_is_read_when_it_is_whole(tmp_path):
    paths = Paths(tmp_path)
    reader = ReportReader(paths, 7, "loss")
    write(paths, 1, {"kind": "epoch", "epoch": 1, "loss": 0.5}, end="")
    reader.read(1)
    assert reader.in_order() == ()
    write(paths, 1, end="\n")
    reader.read(1)
    assert reader.in_order() == (EpochReport(1, 0.5),)
