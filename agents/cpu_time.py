"""Processor time of this program and its worker processes."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import psutil


def cpu_seconds() -> float:
    """Processor seconds so far, of this process and of all its descendants, ended ones included.

    A process that has ended counts once its parent has waited for it.
    """
    own = os.times()
    total = time.process_time() + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            spent = child.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total
