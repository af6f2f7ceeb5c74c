"""Pages of the documentation site that are made from the code: the README, commands and routes.

A hook of MkDocs (mkdocs.yml).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from typer import Context
    from typer.core import TyperCommand, TyperGroup

ROOT = Path(__file__).parents[1]
OUTSIDE = re.compile(
    r"\[([^\]]*)\]\((?:\.\./)*(?:examples|benchmarks|CONTRIBUTING|CHANGELOG)\b[^)]*\)"
)
"""Links to files of the repository that are no pages; the site shows their words."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    made = {
        "index.md": readme(),
        "reference/commands.md": commands(),
        "reference/http.md": http(),
        "decisions/index.md": decisions(),
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Without links that leave the pages."""
    return OUTSIDE.sub(r"\1", markdown)


def readme() -> str:
    """The README with links that start at docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.replace("](docs/decisions)", "](decisions/index.md)").replace("](docs/", "](")


def commands() -> str:
    """All commands with the options that `--help` shows."""
    import typer.main

    from api.cli.main import app

    group = typer.main.get_command(app)
    context = group.make_context("fulcrum", ["--help"], resilient_parsing=True)
    intro = "What `--help` says, on one page. [The command line](../cli.md) tells more.\n"
    return "\n".join(["# Commands\n", intro, *_commands(group, context)])


def _commands(group: TyperGroup, context: Context) -> Iterator[str]:
    from api.cli.support.command_group import LazyCommand

    for name, found in group.commands.items():
        command = found.load() if isinstance(found, LazyCommand) else found
        path = f"{context.command_path} {name}"
        with type(context)(command, parent=context, info_name=name) as inner:
            if hasattr(command, "commands"):
                yield from _commands(command, inner)
            else:
                yield from _command(path, command, inner)


def _command(path: str, command: TyperCommand, context: Context) -> Iterator[str]:
    yield f"## {path}\n"
    help_text = (command.help or "").replace("\x0c", "").strip()
    yield re.sub(r"^(Example: )(.*)", r"\1`\2`", help_text, flags=re.MULTILINE | re.DOTALL) + "\n"
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    rows = [
        record for each in command.get_params(context) if (record := each.get_help_record(context))
    ]
    if rows:
        yield "| | |\n|---|---|"
        for names, text in rows:
            yield f"| `{names.replace('|', chr(92) + '|')}` | {text.replace('|', chr(92) + '|')} |"
        yield ""


def http() -> str:
    """All routes of the service, from its OpenAPI document."""
    from api.http.app import create_app
    from scheduler.bootstrap import build
    from scheduler.service.holder import ServiceHolder
    from scheduler.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), policy="wgc")
        holder = ServiceHolder(build(settings))
        try:
            document = create_app(holder, settings).openapi()
        finally:
            holder.stop()
    return "\n".join(_routes(document))


def _routes(document: Mapping[str, Any]) -> Iterator[str]:
    yield "# HTTP routes\n"
    yield document["info"]["description"] + "\n"
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield f"## {method.upper()} {path}\n"
            yield route.get("description", route.get("summary", "")) + "\n"
            parameters = route.get("parameters", ())
            if parameters:
                yield "| parameter | in | |\n|---|---|---|"
            for each in parameters:
                text = " ".join(each.get("description", "").split()).replace("|", "\\|")
                yield f"| `{each['name']}` | {each['in']} | {text} |"
            yield f"\nBody: {_shape(route['requestBody'])}" if "requestBody" in route else ""
            answers = route["responses"].items()
            good = [f"{code} {_shape(one)}" for code, one in answers if code < "400"]
            bad = [code for code, one in answers if code >= "400"]
            yield f"\nAnswers: {', '.join(good)}. Problems: {', '.join(bad)}.\n"


def _shape(content: Mapping[str, Any]) -> str:
    """The schemas of a body or an answer by name."""
    kinds = content.get("content", {}).items()
    names = (one.get("schema", {}).get("$ref", kind).rpartition("/")[2] for kind, one in kinds)
    return " or ".join(f"`{name}`" for name in names)


def decisions() -> str:
    """The decision records by title."""
    folder = ROOT / "docs" / "decisions"
    titles = ((each, each.read_text(encoding="utf-8")) for each in sorted(folder.glob("0*.md")))
    lines = (f"- [{text.partition(chr(10))[0].lstrip('# ')}]({each.name})" for each, text in titles)
    return "\n".join(["# Decisions\n", "Why the product is as it is.\n", *lines])
