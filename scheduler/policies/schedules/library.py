"""Registered schedules of wgc: files in the data folder, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scheduler.domain.errors import InputError, MissingError
from scheduler.files import write_text
from scheduler.policies import schedules
from scheduler.policies.schedules import SUFFIX
from scheduler.policies.wgc import Wgc

SCHEME = "wgc"
FOLDER = "schedules"
"""In the data folder."""
MOST_CHARACTERS = 65_536
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_LEGAL = "lower-case letters, digits and . _ -, at most 60, e.g. our-lab"


@dataclass(frozen=True, slots=True)
class Library:
    """The schedules of a data folder. Any number of processes may use it."""

    data: Path

    def add(self, name: str, text: str) -> str:
        """Register the text of a schedule's file, in place of one of that name.

        Returns the policy's name. Raises `InputError` for a name that is illegal or that of a
        schedule that comes with Fulcrum, and for a text that is no schedule.
        """
        if not _NAME.fullmatch(name) or name.endswith(SUFFIX):
            raise InputError(f"invalid schedule name {name!r}", {"name": _LEGAL})
        if name in schedules.names():
            raise InputError(
                f"{SCHEME}:{name} comes with Fulcrum",
                {"name": "a name that no shipped schedule has"},
            )
        if len(text) > MOST_CHARACTERS:
            raise InputError(
                f"{name} is not a schedule: it is too long",
                {"text": f"at most {MOST_CHARACTERS} characters"},
            )
        schedules.read(text, name)
        write_text(self._file(name), text)
        return f"{SCHEME}:{name}"

    def names(self) -> tuple[str, ...]:
        """Names of all registered schedules."""
        return tuple(sorted(path.stem for path in (self.data / FOLDER).glob(f"*{SUFFIX}")))

    def policy(self, rest: str) -> Wgc:
        """The policy `wgc:rest`: registered, shipped, or constants; no path is opened.

        Raises `MissingError` or `InputError`.
        """
        if _NAME.fullmatch(rest) and rest in self.names():
            text = self._file(rest).read_text(encoding="utf-8")
            return schedules.made(schedules.read(text, rest), rest)
        if rest.endswith(SUFFIX):
            raise MissingError(
                f"the service opens no file: {rest}",
                {"policy": f"a registered schedule; fulcrum policy import {rest} makes one"},
            )
        return schedules.tuned(rest)

    def taken(self, policy: str) -> str:
        """The policy's name; one that names a file on this machine is registered first.

        For programs that run as the user. Raises as `add`, and `MissingError` for a file
        that cannot be read.
        """
        file = file_of(policy)
        return policy if file is None else self.add(name_of(file), text_of(file))

    def _file(self, name: str) -> Path:
        return self.data / FOLDER / f"{name}{SUFFIX}"


def file_of(policy: str) -> Path | None:
    """The file in a policy's name, as in `wgc:./ours.toml`; None if there is none."""
    scheme, _, rest = policy.partition(":")
    return Path(rest).expanduser() if scheme == SCHEME and rest.endswith(SUFFIX) else None


def name_of(file: Path) -> str:
    """The name of a schedule, from its file."""
    return file.stem.casefold()


def text_of(file: Path) -> str:
    """The content of a file; raises `MissingError` if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(f"{file} cannot be read: {error}", {"policy": "a file"}) from None
