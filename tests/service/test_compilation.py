"""A service is ready before functions are compiled, and no request compiles any."""

import subprocess
import sys
import threading
from pathlib import Path

from scheduler import bootstrap
from scheduler.clock import SystemClock
from scheduler.hardware.inventory import Inventory
from scheduler.service.service import Service
from scheduler.settings import Settings
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from tests.support.service_worlds import CPU
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
READY = """
import sys
from pathlib import Path
from tests.support.service_worlds import World, memory_store

world = World(Path(sys.argv[1]), memory_store())
assert world.service.cluster.view().queued == 0
assert "numba" not in sys.modules, "a service that nobody has asked anything has loaded Numba"
"""


def test_an_idle_service_has_not_loaded_the_compiler(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", READY, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_all_entry_points_are_loaded_once_it_has_started(tmp_path, monkeypatch):
    warmed = threading.Event()
    monkeypatch.setattr("scheduler.service.service.warm_up", warmed.set)
    clock = SystemClock()
    service = Service(
        bootstrap.components(
            Settings(data_dir=tmp_path, policy="sjf"),
            MemoryStore(),
            FakeExecutor(clock),
            Inventory((CPU,), {"cpu": ("cpu-0", "cpu-1")}, {}, {}, {}),
            clock,
        )
    )
    assert not warmed.is_set()
    service.start()
    try:
        assert warmed.wait(PATIENCE_S)
    finally:
        service.stop()
