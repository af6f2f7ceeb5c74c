"""Fakes of what the kernel and the driver tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
cpu MHz\t\t: 3000.000
siblings\t: 64
cpu cores\t: 32
flags\t\t: fpu sse2 avx avx2 fma avx512f

processor\t: 1
model name\t: something else
"""
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm\n"


def write(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


class NVMLError(Exception):
    pass


@dataclass
class Board:
    name: str | bytes
    uuid: str | bytes
    memory: int | None = 16 * 2**30
    milliwatts: int | None = None
    broken: bool = False
    instances: list[Board | None] = field(default_factory=list)


class Nvml:
    """As much of `pynvml` as is asked for; `driver=False`: nvmlInit fails."""

    NVMLError = NVMLError

    def __init__(self, *boards: Board, driver: bool = True):
        self.boards, self.driver, self.open = boards, driver, 0

    def nvmlInit(self):
        if not self.driver:
            raise NVMLError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index):
        if self.boards[index].broken:
            raise NVMLError("GPU is lost")
        return self.boards[index]

    def nvmlDeviceGetName(self, board):
        return board.name

    def nvmlDeviceGetUUID(self, board):
        return board.uuid

    def nvmlDeviceGetMemoryInfo(self, board):
        return SimpleNamespace(total=told(board.memory))

    def nvmlDeviceGetEnforcedPowerLimit(self, board):
        return told(board.milliwatts)

    def nvmlDeviceGetMigMode(self, board):
        if not board.instances:
            raise NVMLError("Not Supported")
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, board):
        return len(board.instances)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, board, slot):
        return told(board.instances[slot])


def told(value):
    if value is None:
        raise NVMLError("Not Supported")
    return value
