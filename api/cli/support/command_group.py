"""Groups of commands: each is imported when it is called, and its expected errors are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from api.cli.command_table import CommandEntry, GroupEntry
from api.cli.support.exit_codes import ExitCode

COMMANDS = Path(__file__).resolve().parents[1] / "commands"


class LazyCommand(TyperCommand):
    """A command that is imported when it is called; help pages need its summary only."""

    def __init__(self, path: str, entry: CommandEntry, panel: str | None = None) -> None:
        """`path`: the words that call it, such as `policy train`."""
        super().__init__(path.rpartition(" ")[2], help=_summary(entry), rich_help_panel=panel)
        self._path = path
        self._entry = entry

    def load(self) -> TyperCommand:
        """The command with its options. Raises `MissingPackagesError`."""
        module, _, name = self._entry.target.partition(":")
        with self._told():
            function = getattr(import_module(f"api.cli.commands.{module}"), name)
        app = typer.Typer(add_completion=False)
        settings = {"allow_interspersed_args": self._entry.interspersed}
        app.command(self.name, context_settings=settings)(function)
        command = get_command(app)
        assert isinstance(command, TyperCommand)
        command.callback = self._guarded(command.callback)
        return command

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """The context of the imported command."""
        try:
            command = self.load()
            if extra.get("resilient_parsing"):  # a shell asks for completions
                from api.cli.support.completion import attach

                attach(command, self._path)
            return command.make_context(*args, **extra)
        except typer.BadParameter as error:
            # Typer repeats pydantic's words: "Input should be a valid integer, unable to …".
            wrong = error.message.partition(", unable to parse")[0]
            wrong = wrong.replace("Input should be", "it must be").replace("Value error, ", "")
            error.message = wrong
            raise

    def _guarded(self, callback: Callable[..., Any] | None) -> Callable[..., Any]:
        assert callback is not None

        def run(**arguments: Any) -> Any:
            with self._told():
                return callback(**arguments)

        return run

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A package of another distribution that is missing names the extra that has it."""
        try:
            yield
        except ModuleNotFoundError as error:
            from api.cli.support.failures import MissingPackagesError
            from fulcrum.packages import ALL

            if self._entry.extra is None or (error.name or "").partition(".")[0] in ALL:
                raise
            raise MissingPackagesError(self._path, self._entry.extra, error.name) from None


class CommandGroup(TyperGroup):
    """A group of commands whose expected errors end in a sentence and an exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help page."""
        from api.cli.support.help_page import show

        show(self, ctx)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.Abort:  # Ctrl-C or Ctrl-D where something is asked for
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:
            from api.cli.support.failures import told

            code = told(error)
            if code is None:
                raise
            raise typer.Exit(code) from None


def commands(
    panels: Mapping[str, Mapping[str, CommandEntry | GroupEntry]],
) -> dict[str, TyperCommand | TyperGroup]:
    """The commands of `panels` by name, in their order."""
    found: dict[str, TyperCommand | TyperGroup] = {}
    for panel, entries in panels.items():
        for name, entry in entries.items():
            if isinstance(entry, CommandEntry):
                found[name] = LazyCommand(name, entry, panel)
            else:
                below = {
                    child: LazyCommand(f"{name} {child}", one)
                    for child, one in entry.commands.items()
                }
                found[name] = CommandGroup(
                    name=name,
                    commands=dict(below),
                    help=entry.summary,
                    no_args_is_help=True,
                    rich_help_panel=panel,
                )
    return found


def _summary(entry: CommandEntry) -> str:
    """The first line of the command's docstring, read from its source: importing takes long."""
    module, _, function = entry.target.partition(":")
    docstring = _source(module).partition(f"\ndef {function}(")[2].partition('"""')[2]
    return docstring.partition("\n")[0].removesuffix('"""')


@cache
def _source(module: str) -> str:
    return (COMMANDS / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
