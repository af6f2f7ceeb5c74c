"""token create, ls, revoke: on the service's own machine, in its data folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json, table


def create(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(help="User of the token.")],
    role: Annotated[str, typer.Option(help="admin, user or viewer.")] = "user",
    as_json: Json = False,
) -> None:
    """Create a token; it is shown once and is valid at once.

    Example: fulcrum token create ada --role user
    """
    from api.http.auth import create_token

    text, entry = create_token(_folder(ctx), user, role)
    if as_json:
        print_json({"id": entry.id, "user": entry.user, "role": entry.role, "token": text})
    elif out().is_terminal:
        out().print(f"token {entry.id} of {escape(user)} ({entry.role}), shown this once:")
        out().print(text, soft_wrap=True)
    else:
        print(text)


def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List all tokens except the owner's.

    Example: fulcrum token ls
    """
    from api.http.auth import list_tokens

    tokens = list_tokens(_folder(ctx))
    if as_json:
        print_json(
            [
                {"id": one.id, "user": one.user, "role": one.role, "created_at": _instant(one)}
                for one in tokens
            ]
        )
        return
    result = table("!ID", "~USER", "!ROLE", "!MADE", drop=("MADE",))
    for one in tokens:
        when = text_format.moment(datetime.fromtimestamp(one.created_at, UTC))
        result.add_row(one.id, escape(one.user), one.role, when)
    out().print(result if tokens else "[dim]no tokens except the owner's[/]")


def revoke(
    ctx: typer.Context,
    token_id: Annotated[
        str,
        typer.Argument(
            metavar="ID|USER", help="As in `fulcrum token ls`; a user who has one token."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Revoke a token; the service refuses it at once.

    Example: fulcrum token revoke 1f2e3d4c
    """
    from api.http.auth import revoke_token

    gone = revoke_token(_folder(ctx), token_id)
    if as_json:
        print_json({"id": gone.id, "user": gone.user})
    else:
        out().print(f"token {gone.id} of {escape(gone.user)} is revoked")


def _folder(ctx: typer.Context) -> Path:
    from api.client.connection import data_folder

    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    return data_folder(options.data)


def _instant(token: object) -> str:
    return datetime.fromtimestamp(token.created_at, UTC).isoformat()  # type: ignore[attr-defined]
