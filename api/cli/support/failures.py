"""Every expected error ends in a sentence on stderr and its own exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.cli.support.exit_codes import ExitCode
from api.cli.support.output import print_error

if TYPE_CHECKING:
    from api.client import ApiError, JobFailed, SweepFailed, SweepTimeoutError, WaitTimeoutError
    from scheduler.domain.errors import FulcrumError


class MissingPackagesError(Exception):
    """A command needs packages of an extra that is not installed."""

    def __init__(self, command: str, extra: str, module: str | None) -> None:
        super().__init__(f"`fulcrum {command}` needs more packages ({module} is missing)")
        self.hint = f"pip install 'fulcrum-scheduler[{extra}]'"


def told(error: Exception) -> ExitCode | None:
    """Print an expected error and return its exit code; return None for any other."""
    from api.client import errors
    from api.client.files import FileError
    from api.client.job import JobFailed, WaitTimeoutError
    from api.client.sweeps.handle import SweepFailed, SweepTimeoutError
    from fulcrum.packages import ADVICE, foreign
    from scheduler.domain.errors import FulcrumError

    fields: Mapping[str, str] = {}
    hint = ""
    code: ExitCode
    match error:
        case errors.ApiError():
            fields, hint, code = error.fields, _hint(error), _code(error)
        case errors.UnreachableError():
            code, hint = (
                ExitCode.UNREACHABLE,
                "start one with fulcrum serve, or name its address with --url",
            )
        case errors.StreamError():
            code = ExitCode.UNREACHABLE
        case JobFailed() | SweepFailed():
            code, hint = ExitCode.FAILED, _output(error)
        case WaitTimeoutError() | SweepTimeoutError():
            code, hint = ExitCode.TIMEOUT, f"it continues; to stop it: {_stop(error)}"
        case FileError():
            code, hint = ExitCode.USAGE, f"in {error.field}" if error.field else ""
        case FulcrumError():
            code, fields = _local_code(error), error.fields
        case errors.MissingPackageError():
            code, hint = ExitCode.NOT_INSTALLED, f"pip install {error.package}"
        case MissingPackagesError():
            code, hint = ExitCode.NOT_INSTALLED, error.hint
        case ImportError() if list(foreign()):
            code, hint = ExitCode.ERROR, ADVICE
            error = ImportError(f"{error}: {'; '.join(foreign())}")
        case OSError() if not isinstance(error, BrokenPipeError):
            code = ExitCode.LOCAL
        case _:
            return None
    print_error(_sentence(error), fields, hint)
    return code


def _output(error: JobFailed | SweepFailed) -> str:
    from api.client import JobFailed

    return f"its output: fulcrum logs {error.job.id}" if isinstance(error, JobFailed) else ""


def _stop(error: WaitTimeoutError | SweepTimeoutError) -> str:
    from api.client import WaitTimeoutError

    if isinstance(error, WaitTimeoutError):
        return f"fulcrum cancel {error.job.id}"
    return f"fulcrum sweep cancel {error.sweep.id}"


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(getattr(error, "message", error))


def _local_code(error: FulcrumError) -> ExitCode:
    from scheduler.domain.errors import MissingError, OutageError, StateError

    match error:
        case StateError():
            return ExitCode.CONFLICT
        case MissingError():
            return ExitCode.NOT_FOUND
        case OutageError():
            return ExitCode.ERROR
        case _:
            return ExitCode.USAGE


def _code(error: ApiError) -> ExitCode:
    from api.client import errors

    by_kind: Mapping[type[ApiError], ExitCode] = {
        errors.NotFoundError: ExitCode.NOT_FOUND,
        errors.ConflictError: ExitCode.CONFLICT,
        errors.UnavailableError: ExitCode.UNREACHABLE,
        errors.InvalidError: ExitCode.REFUSED,
        errors.UnauthorizedError: ExitCode.REFUSED,
    }
    by_code = {"unknown-job": ExitCode.NOT_FOUND, "over-quota": ExitCode.REFUSED}
    return by_code.get(error.code) or by_kind.get(type(error), ExitCode.ERROR)


def _hint(error: ApiError) -> str:
    if error.status == 401:
        return "set FULCRUM_TOKEN, or run on the service's machine as its user"
    if error.problem.get("id"):
        return f"the service's log has more under {error.problem['id']}"
    return ""
