"""Commands on the pages of tutorials and how-tos, as a reader would type them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^( *)```(.*?)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]{4,}")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what stands behind the fence, and its lines."""

    attributes: str
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name of a terminal, or of the file that the block is."""
        found = re.search(r'title="([^"]*)"', self.attributes)
        return found[1] if found else ""

    @property
    def needs(self) -> frozenset[str]:
        """What a machine must have for it, such as `gpu`."""
        return frozenset(re.findall(r"\.needs-(\w+)", self.attributes))

    @property
    def is_console(self) -> bool:
        """Whether its lines are commands with their output."""
        return "console" in self.attributes

    @property
    def is_python(self) -> bool:
        """Whether it is a program, in a file or not."""
        return self.attributes.startswith("python")

    def commands(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each command with the lines that the page shows below it."""
        command, shown = "", list[str]()
        for line in self.lines:
            if line.startswith("$ "):
                if command:
                    yield command, tuple(shown)
                command, shown = line[2:].partition("  #")[0], []
            else:
                shown.append(line)
        if command:
            yield command, tuple(shown)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    return [
        Block(
            attributes, tuple(line.removeprefix(indent) for line in text.rstrip("\n").split("\n"))
        )
        for indent, attributes, text in _FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """Lines of a page whose words stand together in no line that was printed.

    Numbers and short words may differ: they depend on the machine.
    """
    lines = [set(_WORD.findall(line)) for line in printed.splitlines()]
    return [line for line in shown if not any(set(_WORD.findall(line)) <= one for one in lines)]
