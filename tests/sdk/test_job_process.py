"""What programs that run as jobs import from `fulcrum`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import fulcrum
from fulcrum import artifact, checkpoint, job_process, report, save_checkpoint, stop_requested

LSTM = Path(__file__).resolve().parents[2] / "examples" / "lstm.py"


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(job_process, "_told", job_process._Told())
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a job whose environment the test has."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    for name in ("checkpoints", "artifacts"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "FULCRUM_METRICS": str(folder / "metrics.jsonl"),
        "FULCRUM_CHECKPOINTS": str(folder / "checkpoints"),
        "FULCRUM_ARTIFACTS": str(folder / "artifacts"),
        "FULCRUM_WIDTH": "1",
    }


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = [row for row in rows if row["kind"] == kind]
    assert all(row.pop("time") > 1e9 and row.pop("kind") == kind for row in found)
    return found


def test_an_epoch_is_progress_and_a_point_of_a_curve(job: Path) -> None:
    report(epoch=3, epochs=10, loss=0.2, accuracy=0.9)
    assert lines(job, "epoch") == [{"epoch": 3, "epochs": 10, "loss": 0.2, "accuracy": 0.9}]
    assert lines(job, "progress") == [{"fraction": 0.3, "epoch": 3, "epochs": 10}]


@pytest.mark.parametrize(
    ("given", "fraction"),
    [
        ({"step": 5, "steps": 20}, 0.25),
        ({"epoch": 1, "epochs": 4, "step": 5, "steps": 10}, 0.375),
        ({"fraction": 0.7}, 0.7),
        ({"fraction": 3}, 1.0),
    ],
)
def test_progress(job: Path, given: dict[str, float], fraction: float) -> None:
    report(**given)
    assert [row["fraction"] for row in lines(job, "progress")] == [fraction]


def test_figures_alone_are_the_result(job: Path) -> None:
    report(accuracy=0.97)
    assert lines(job, "test") == [{"accuracy": 0.97}]
    assert lines(job, "progress") == []


def test_progress_is_written_seldom_and_figures_always(job: Path) -> None:
    for step in range(1, 101):
        report(step=step, steps=101, loss=1 / step)
    assert len(lines(job, "step")) == 100
    assert len(lines(job, "progress")) < 50
    with save_checkpoint("state") as path:
        path.write_text("x")
    assert lines(job, "checkpoint") == [{"fraction": round(100 / 101, 6)}]
    report(step=101, steps=101)
    assert lines(job, "progress")[-1]["fraction"] == 1


def test_any_number_becomes_json(job: Path) -> None:
    np = pytest.importorskip("numpy")
    report(a=np.float32(0.5), b=float("nan"), c=float("inf"), d=None, e=np.int64(3), f=True)
    expected = {"a": 0.5, "b": None, "c": None, "d": None, "e": 3.0, "f": True}
    assert lines(job, "test") == [expected]


def test_what_is_no_number_is_left_out_and_the_log_says_so_once(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for epoch in (1, 2):
        report(epoch=epoch, loss="x", accuracy=0.5, sizes=[1])
    assert lines(job, "epoch") == [{"epoch": epoch, "accuracy": 0.5} for epoch in (1, 2)]
    assert capsys.readouterr().err.splitlines() == [
        "fulcrum.report: loss='x' is not a number and is left out",
        "fulcrum.report: sizes=[1] is not a number and is left out",
    ]


def test_a_checkpoint_is_there_whole_or_not_at_all(job: Path) -> None:
    assert checkpoint("state") is None
    with save_checkpoint("state") as path:
        path.write_text("old")
    with suppress(KeyError), save_checkpoint("state") as path:
        path.write_text("half")
        raise KeyError
    found = checkpoint("state")
    assert found is not None
    assert found.read_text() == "old"
    assert list((job / "checkpoints").iterdir()) == [found]
    assert len(lines(job, "checkpoint")) == 1


def test_artifacts_have_their_place(job: Path) -> None:
    artifact("plots/loss.svg").write_text("x")
    assert (job / "artifacts" / "plots" / "loss.svg").exists()


def test_sigterm_is_a_wish_once_it_was_asked_for(job: Path) -> None:
    assert not stop_requested()
    signal.raise_signal(signal.SIGTERM)
    assert stop_requested()


def test_outside_a_job_files_are_here_and_nothing_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    report(epoch=1, epochs=2, loss=1.0)
    with save_checkpoint("state") as path:
        path.write_text("x")
    assert checkpoint("state") == Path("state")
    assert artifact("model") == Path("model")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_full_disk_does_not_end_the_program(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULCRUM_METRICS", "/dev/full")
    report(epoch=1, epochs=2, loss=1.0)


def test_the_names_are_public_and_import_nothing_else() -> None:
    assert {"report", "checkpoint", "artifact"} <= set(dir(fulcrum))
    code = (
        "import sys; from fulcrum import report; report(a=1); "
        "print({'api', 'scheduler', 'numpy', 'pydantic', 'httpx'} & {*sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.slow
def test_the_recurrent_network_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """As if the service preempted it: SIGTERM after a saved epoch, then another attempt."""
    command = [sys.executable, str(LSTM), "--epochs", "4"]
    variables = {**os.environ, **environment(tmp_path), "PYTHONPATH": str(LSTM.parents[1])}
    first = subprocess.Popen(
        [*command, "--pause", "600"], env=variables, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    try:
        assert first.stdout.readline().startswith("epoch 1/4")
        while not lines(tmp_path, "checkpoint"):
            assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        rest, _ = first.communicate(timeout=300)
    finally:
        first.kill()
        first.wait()
    assert (first.returncode, rest) == (0, "stops after epoch 1\n")
    assert lines(tmp_path, "checkpoint") == [{"fraction": 0.25}]

    second = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert second.stdout.startswith("goes on after epoch 1\nepoch 2/4")
    assert [row["epoch"] for row in lines(tmp_path, "epoch")] == [1, 2, 3, 4]
    assert lines(tmp_path, "test")[-1]["accuracy"] > 0.7
    assert (tmp_path / "artifacts" / "lstm.pt").is_file()
