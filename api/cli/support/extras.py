"""The extras of `fulcrum-scheduler` that commands need."""

from __future__ import annotations


class MissingPackagesError(Exception):
    """A command needs packages of an extra that is not installed."""

    def __init__(self, command: str, extra: str, module: str | None) -> None:
        super().__init__(f"`fulcrum {command}` needs more packages ({module} is missing)")
        self.hint = f"pip install 'fulcrum-scheduler[{extra}]'"
