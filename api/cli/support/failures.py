"""Every expected error ends in a sentence on stderr and its own exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from api.cli.support.exit_codes import Exit
from api.cli.support.output import print_error

if TYPE_CHECKING:
    from api.client import ApiError
    from scheduler.domain.errors import FulcrumError


class Doors(TyperGroup):
    """A group of commands whose expected errors are told, not thrown."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = told(error)
            if code is None:
                raise
            raise typer.Exit(code) from None


def told(error: Exception) -> Exit | None:
    """Print an expected error; None for any other."""
    from api.client import errors
    from api.client.files import FileError
    from scheduler.domain.errors import FulcrumError

    fields: Mapping[str, str] = {}
    hint = ""
    code: Exit
    match error:
        case errors.ApiError():
            fields, hint, code = error.fields, _hint(error), _code(error)
        case errors.UnreachableError():
            code, hint = Exit.UNREACHABLE, "start one: fulcrum serve; or name it: --url"
        case errors.StreamError():
            code = Exit.UNREACHABLE
        case errors.JobFailed():
            code, hint = Exit.FAILED, f"its output: fulcrum logs {error.job.id}"
        case errors.WaitTimeoutError():
            code, hint = Exit.TIMEOUT, f"it goes on; to stop it: fulcrum cancel {error.job.id}"
        case FileError():
            code, hint = Exit.USAGE, f"in {error.field}" if error.field else ""
        case FulcrumError():
            code, fields = _local_code(error), error.fields
        case OSError() if not isinstance(error, BrokenPipeError):
            code = Exit.ERROR
        case _:
            return None
    print_error(_sentence(error), fields, hint)
    return code


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(getattr(error, "message", error))


def _local_code(error: FulcrumError) -> Exit:
    from scheduler.domain.errors import ConflictError, NotFoundError, UnavailableError

    match error:
        case ConflictError():
            return Exit.CONFLICT
        case NotFoundError():
            return Exit.NOT_FOUND
        case UnavailableError():
            return Exit.ERROR
        case _:
            return Exit.USAGE


def _code(error: ApiError) -> Exit:
    from api.client import errors

    match error:
        case errors.NotFoundError():
            return Exit.NOT_FOUND
        case errors.ConflictError():
            return Exit.CONFLICT
        case errors.UnavailableError():
            return Exit.UNREACHABLE
        case errors.InvalidError() | errors.UnauthorizedError():
            return Exit.REFUSED
        case _:
            return Exit.ERROR


def _hint(error: ApiError) -> str:
    if error.status == 401:
        return "set FULCRUM_TOKEN, or run on the service's machine as its user"
    if error.problem.get("id"):
        return f"the service's log has more under {error.problem['id']}"
    return ""
