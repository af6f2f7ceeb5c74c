"""Compiling leaves the output of the process alone."""

import subprocess
import sys

PROGRAM = """
import sys

class Guarded(type(sys)):
    def __setattr__(self, name, value):
        assert name not in ("stdout", "stderr"), name
        super().__setattr__(name, value)

sys.__class__ = Guarded
import scheduler.compilation.dispatchers
from numba.core.errors import TypingError
str(TypingError("as while types are inferred"))
"""


def test_numba_does_not_replace_stdout():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
