"""Errors that name the object, the field and the legal values."""

from __future__ import annotations

from collections.abc import Mapping


class FulcrumError(Exception):
    """Base of every error a caller may handle; interfaces turn it into a problem document."""

    code = "error"
    """Stable, machine-readable name; part of the public API."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        """One sentence for a person."""
        self.fields: dict[str, str] = dict(fields or {})
        """Field path (`request.width`) to what is wrong with it and which values are legal."""

    def __str__(self) -> str:
        """The message, with the legal values that it does not name itself."""
        rest = [f"{name}: {text}" for name, text in self.fields.items() if text not in self.message]
        return f"{self.message} ({'; '.join(rest)})" if rest else self.message


class InputError(FulcrumError):
    """The input is malformed or asks for something that cannot exist."""

    code = "invalid"


class UnknownJobError(InputError):
    """The input is well-formed, and all that is wrong is that it names jobs that do not exist."""

    code = "unknown-job"


class InfeasibleError(FulcrumError):
    """The job is well-formed, but no pool of this cluster could ever run it."""

    code = "infeasible"


class MissingError(FulcrumError):
    """No object with that name or id."""

    code = "not-found"


class StateError(FulcrumError):
    """The object changed meanwhile, or the request contradicts an earlier one."""

    code = "conflict"


class IllegalTransitionError(StateError):
    """The lifecycle has no such transition."""

    code = "illegal-transition"


class OutageError(FulcrumError):
    """A part the request needs does not answer now; the same request may succeed later."""

    code = "unavailable"


class LostLeadershipError(OutageError):
    """Another service leads in place of this one, so this one writes nothing."""
