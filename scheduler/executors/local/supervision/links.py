"""The fork servers of a run folder, and which of them an attempt comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace

from scheduler.domain.jobs import JobKind
from scheduler.executors import environment
from scheduler.executors.base import LaunchSpec
from scheduler.executors.local.supervision.link import Link
from scheduler.executors.local.supervision.setup import Setup
from scheduler.executors.local.system.digest import digest

_LIGHT = "light"


class Links:
    """A fork server for all work or, with `light`, one for commands and one for all else.

    A process with torch in it takes some 15 ms to be forked and as long to end, and there are two
    per attempt. What only starts a program needs nothing of it.
    """

    def __init__(
        self, setup: Setup, pass_env: Collection[str], patience_s: float, light: str | None
    ) -> None:
        """`light`: what the server for commands imports, instead of `setup.preload`."""
        variables = environment.passed(os.environ, pass_env)
        named = (f"{name}={variables[name]}" for name in sorted(variables))
        code = digest(setup.encode(), light or "", sys.prefix, *named)

        def link(setup: Setup, serves: str) -> Link:
            return Link(setup, variables, patience_s=patience_s, serves=serves)

        main = replace(setup, digest=code)
        if light is None:
            self.main = self._light = link(main, "job")
        else:
            self.main = link(main, "job but commands")
            self._light = link(replace(main, name=_LIGHT, preload=light), "command")

    def __iter__(self) -> Iterator[Link]:
        """Each once."""
        yield self.main
        if self._light is not self.main:
            yield self._light

    def of(self, spec: LaunchSpec) -> Link:
        """The one that launches it. Commands on several nodes meet by way of torch."""
        alone = spec.kind is JobKind.COMMAND and len(spec.parts) == 1
        return self._light if alone else self.main
