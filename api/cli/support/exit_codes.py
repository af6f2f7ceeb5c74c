"""The exit codes of `fulcrum`; docs/cli.md describes them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    """A job that was waited for, or a check of `doctor`, failed."""
    USAGE = 2
    """The command line or a file is wrong; nothing was sent."""
    NOT_FOUND = 3
    REFUSED = 4
    """The service refused the request as invalid, infeasible, over a quota or not allowed; or a
    policy was not promoted because it failed its test."""
    UNREACHABLE = 5
    """No service answers, or it is not ready."""
    CONFLICT = 6
    """The job is in another state, or the folder is in use."""
    ERROR = 7
    """Any other error of the service, or a broken installation."""
    NOT_INSTALLED = 8
    """The command needs packages of an extra that is not installed."""
    LOCAL = 9
    """A file, a folder or the output of this machine cannot be read or written."""
    TIMEOUT = 124
    """The waiting time is over; the job continues."""
    INTERRUPTED = 130
    """Ctrl-C; jobs continue."""
    CLOSED_PIPE = 141
    """Nobody reads the output any longer; the code is that of SIGPIPE."""
