"""The standard output of the command line: what happens when its reader is gone."""

from __future__ import annotations

import io
import os
from typing import NoReturn, TextIO

from api.cli.support.exit_codes import ExitCode


class PipedOutput(io.TextIOWrapper):
    """A text stream that ends the program with 141, as SIGPIPE does, when nobody reads it.

    The signal itself stays ignored, as in every Python program: it would also end one whose
    connection to the service breaks.
    """

    def write(self, text: str) -> int:
        """Write text; raise `SystemExit` if the reader is gone."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._end()

    def flush(self) -> None:
        """Write out what is buffered; raise `SystemExit` if the reader is gone."""
        try:
            super().flush()
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        discard(self)
        raise SystemExit(ExitCode.CLOSED_PIPE)


def discard(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, also when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def piped(stream: TextIO) -> TextIO:
    """The stream as a `PipedOutput` that also writes what the terminal cannot show, escaped."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    lines, encoding = stream.line_buffering, stream.encoding
    return PipedOutput(stream.detach(), encoding, errors="backslashreplace", line_buffering=lines)
