"""Every command of the tutorials and how-tos is executed, and prints what the page shows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from api.cli.support.exit_codes import ExitCode
from api.local_cluster import LocalCluster
from api.local_service import clear
from tests.documents.console_blocks import blocks, missing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs/tutorials").glob("*.md"), *(ROOT / "docs/how-to").glob("*.md")])
# What a reader installs into the environment goes into a folder of the test.
INSTALL = "pip install --editable ."
INSTALL_HERE = f"{sys.executable} -m pip install -q --no-build-isolation --no-deps --target site ."

PATIENCE_S = 120.0
"""A reader types slower than a test."""


class Reader:
    """Types the commands of a page in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        clean = {name: value for name, value in os.environ.items() if "FULCRUM" not in name}
        self._environment = clean | {
            "FULCRUM_DATA_DIR": str(self.data),
            "FULCRUM_PORT": "0",
            "FULCRUM_RAY__NODE_FOLDER": str(folder / "nodes"),
            "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}",
            "PYTHONPATH": str(folder / "site"),
            "COLUMNS": "200",
        }
        self._services: list[subprocess.Popen[bytes]] = []

    def start(self, command: str) -> None:
        """Start a service, and wait until it answers."""
        log = self.folder / "first-terminal.log"
        with log.open("wb") as output:
            service = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._services.append(service)
        while not (self.data / "address").exists():
            assert service.poll() is None, log.read_text()
            time.sleep(0.2)

    def type(self, command: str) -> str:
        """Run a command to its end; what it printed. A job that has not started yet may start."""
        end = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(
                ["bash", "-c", command.replace(INSTALL, INSTALL_HERE)],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode != ExitCode.CONFLICT or time.monotonic() > end:
                break
            time.sleep(0.5)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def close(self) -> None:
        """End the services and their jobs."""
        for service in self._services:
            service.send_signal(signal.SIGTERM)
            service.wait()
        clear(self.folder)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    _photographs(tmp_path)
    made = Reader(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_reader_can_do_what_the_page_says(reader: Reader, page: Path) -> None:
    if page.stem == "many-machines":
        pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
    cluster = LocalCluster(reader.folder, {"a": "", "b": ""}, port=6399)
    try:
        for block in blocks(page):
            if "gpu" in block.needs:
                continue
            if "history" in block.needs:
                _live_through_a_day(reader)
            if block.is_console and block.title:
                reader.start("".join(command for command, _ in block.commands()))
            elif block.is_console:
                for command, shown in block.commands():
                    printed = reader.type(command)
                    assert not missing(shown, printed), f"$ {command}\n{printed}"
            elif block.title:
                (reader.folder / block.title).write_text("\n".join(block.lines))
            elif block.is_python:
                (reader.folder / "snippet.py").write_text("\n".join(block.lines))
                reader.type("python snippet.py")
    finally:
        if page.stem == "many-machines":
            cluster.close()


def test_every_how_to_and_tutorial_is_found() -> None:
    assert len(PAGES) >= 9
    assert all(any(block.is_console for block in blocks(page)) for page in PAGES)


def _photographs(folder: Path) -> None:
    """What a reader has: `photos` with two classes in parts, and `inbox` without labels."""
    images, classes = load_digits(return_X_y=True)
    for at, (pixels, label) in enumerate(zip(images[:400], classes[:400], strict=True)):
        if label < 2:
            part = "photos/test" if at % 5 == 0 else "photos/train"
            place = folder / (part + "/" + ("cat", "dog")[label])
            place = folder / "inbox" if at % 7 == 0 else place
            place.mkdir(parents=True, exist_ok=True)
            grey = (pixels.reshape(8, 8) * 15.9).astype("uint8")
            Image.fromarray(grey).resize((32, 32)).save(place / f"{at}.png")


def _live_through_a_day(reader: Reader) -> None:
    """Jobs that have run, so that there is a history."""
    reader.start("fulcrum serve")
    jobs = [
        {"kind": "command", "max_duration": "1m", "work": {"argv": ["sleep", f"0.{at % 3}"]}}
        for at in range(40)
    ]
    (reader.folder / "day.json").write_text(json.dumps({"jobs": jobs}))
    reader.type("fulcrum submit day.json --wait")
