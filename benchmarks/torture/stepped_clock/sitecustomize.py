"""Steps the wall clock of a Python process and of its forks.

Python imports this module at its start if its folder is on PYTHONPATH. TORTURE_CLOCK names a file
of eight bytes: the offset in seconds that `time.time` and `time.time_ns` add from then on.
`datetime.now` and programs in other languages keep the machine's time.
"""

import mmap
import os
import struct
import time


def _step(name: str) -> None:
    with open(name, "rb") as file:  # noqa: PTH123  # every process of the service pays for imports
        page = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    real = time.time_ns

    def now_ns() -> int:
        return real() + int(struct.unpack_from("d", page)[0] * 1e9)

    vars(time).update(time=lambda: now_ns() / 1e9, time_ns=now_ns)


if name := os.environ.get("TORTURE_CLOCK"):
    _step(name)
