"""secret set, ls, rm."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_json, table

Name = Annotated[str, typer.Argument(help="Name: letters, digits and _, no digit first.")]
Project = Annotated[str, typer.Option(help="Project of the secret.")]


def set_(
    ctx: typer.Context, name: Name, project: Project = "default", as_json: Json = False
) -> None:
    """Keep a secret for the jobs of a project; the value is asked for, or read from stdin.

    Example: fulcrum secret set HF_TOKEN --project vision < token.txt
    """
    if sys.stdin.isatty():
        value = typer.prompt(f"value of {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    with client(ctx) as service:
        entry = service.set_secret(name, value, project=project)
    if as_json:
        print_json(entry.model_dump(mode="json"))
    else:
        out().print(f"secret {escape(entry.name)} of project {escape(entry.project)} is set")


def ls(
    ctx: typer.Context,
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    as_json: Json = False,
) -> None:
    """List the secrets, without their values, which nothing tells.

    Example: fulcrum secret ls
    """
    with client(ctx) as service:
        found = service.secrets(project)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    result = table("~PROJECT", "!NAME", "!SET", "~BY", drop=("BY", "SET"))
    for one in found:
        when = text_format.moment(one.set_at)
        result.add_row(escape(one.project), escape(one.name), when, escape(one.set_by))
    out().print(result if found else "[dim]no secrets[/]")


def rm(ctx: typer.Context, name: Name, project: Project = "default", as_json: Json = False) -> None:
    """Forget a secret; jobs that run keep what they have.

    Example: fulcrum secret rm HF_TOKEN --project vision
    """
    with client(ctx) as service:
        service.remove_secret(name, project=project)
    if as_json:
        print_json({"project": project, "name": name})
    else:
        out().print(f"secret {escape(name)} of project {escape(project)} is removed")
