"""The digest of the encoding: a policy names the one it was trained with."""

from __future__ import annotations

import hashlib

import numpy as np

from scheduler.arrays import Floats32
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.encoder import encode
from scheduler.decisions.kernel.learned.job_features import CLUSTER_COLUMNS, JOB_COLUMNS
from scheduler.decisions.kernel.queue.features import GAIN, TOP
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.world import World
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

ENCODING_VERSION = 2
"""Raised when an encoding changes in a way that `golden_values` does not show."""
DECIMALS = 3
"""Results are rounded to so many: earlier versions computed logarithms in single precision."""
_ROWS = 8
ENCODING = "99300e5a7cac"
"""What `digest` gives today; a test compares the two. It is written here because computing it loads
compiled functions, and a service does not wait for that when it starts."""
_EQUAL = {"9ce248cc2e3a": "99300e5a7cac"}
"""Digest of an earlier rule → today's digest of the same encoding. The earlier rule hashed the
declaration of the columns alone. Artifacts that were trained under it stay valid until the encoding
changes: then today's digest is another one."""
JOB_ENCODING = (
    "index-1:" + hashlib.sha256(repr((JOB_COLUMNS, CLUSTER_COLUMNS)).encode()).hexdigest()[:12]
)
"""What a learned index of jobs sees. The number before the colon rises whenever a column of the
same name comes to mean something else."""


def digest() -> str:
    """12 hexadecimal digits that change whenever an encoding comes to mean something else.

    They depend on names and units of the columns, and on what they hold for golden tables.
    """
    columns = [(column.name, column.unit) for column in (*ROW_COLUMNS, *GLOBAL_COLUMNS)]
    results = [np.round(values, DECIMALS).tolist() for values in golden_values()]
    texts = [[f"{value:.{DECIMALS}f}" for value in values] for values in results]
    content = (ENCODING_VERSION, GAIN, TOP, columns, texts)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def compatible(found: str) -> bool:
    """Whether a policy that was trained under the digest `found` reads today's encoding."""
    return ENCODING in (found, _EQUAL.get(found))


def golden_values() -> list[Floats32]:
    """Encodings of three small tables, in which no two columns hold the same.

    One fits, one is longer than the encoding, one shows what may start beside a reserved job. No
    value is near a boundary of rounding, so the digest is the same on every machine.
    """
    pools = (
        Pool("cpu", DeviceKind.CPU, "CPU", 4, nodes=2, dollars_per_device_hour=0.31),
        Pool("gpu", DeviceKind.CUDA, "GPU", 5, dollars_per_device_hour=2.7, boot_s=45.0),
    )
    running = [
        RunningAttempt(1530.0, 90, 0, ((0, 2),)),
        RunningAttempt(2500.0, 91, 0, ((1, 2),)),
        RunningAttempt(9000.0, 92, 0, ((1, 1),)),
        RunningAttempt(1400.0, 93, 1, ((0, 1),)),
        RunningAttempt(4000.0, 94, 1, ((0, 1),)),
        RunningAttempt(8000.0, 95, 1, ((0, 1),)),
        RunningAttempt(30_000.0, 96, 1, ((0, 1),)),
    ]
    world, values = World(pools, running, origin=100.0), []
    for count in (3, 7):
        for job in range(world.depth + 1, count + 1):
            world.add(_waiting(job))
        round_ = Round(world, 1000.0, Mode.EASY)
        values.append(_encoded(round_))
    table = round_.table()
    assert table is not None  # jobs wait, and some fit
    round_.take(int(table.rows[np.flatnonzero(~table.fits)[0]]))
    return [*values, _encoded(round_)]


def _encoded(round_: Round) -> Floats32:
    table = round_.table()
    assert table is not None  # jobs wait, and some fit
    return encode(table, _ROWS, 0.3).values


def _waiting(job: int) -> Waiting:
    """Jobs that every order ranks differently."""
    runtime, width = 37.0 * job + 2000.0 / job, 1 + job % 4
    options = [
        EstimatedPlacement(0, width, 0, runtime, runtime * width * 8.6e-5, runtime * 11.0),
        EstimatedPlacement(0, width + 1, 0, runtime * 0.59, runtime * 9.8e-5, runtime * 12.5),
        EstimatedPlacement(1, 1, 0, runtime * 0.83, runtime * 9.5e-5, runtime * 33.0),
    ]
    return Waiting(
        job,
        submitted_at=987.0 - 3.0 * (job * 3 % 8),
        options=options[: 1 + job % 3],
        priority=20.0 + (11.0 * job) % 50,
        deadline=1000.0 + 260.0 * job if job % 2 else np.inf,
        preference=0.15 * (job % 6) + 0.1,
    )
