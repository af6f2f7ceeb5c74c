"""What every test of this project shares."""

import os
import signal
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from scheduler.decisions.state import blocks
from tests.support import postgres, s3

# Memory that copies of a world do not set must not matter. Here it is NaN as a float, and far out
# of range as an index.
blocks.unset = lambda memory: np.full(memory.size // 8, 0x7FF8DEAD7FF8DEAD).view(np.uint8)

# A shell starts what runs in its background with Ctrl-C ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "fulcrum",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fulcrum")

_databases = count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a PostgreSQL server; tests that need one are skipped where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    try:
        return postgres.server(base / "postgres")
    except postgres.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    name = f"fulcrum_{os.getpid()}_{next(_databases)}"
    with postgres.database(postgres_server, name) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3-compatible server."""
    with s3.server() as address:
        yield address


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a folder in a bucket of this test's own; the environment names the server."""
    for name, value in s3.variables(s3_server).items():
        monkeypatch.setenv(name, value)
    return s3.new_bucket()
