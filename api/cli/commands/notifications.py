"""notifications."""

from __future__ import annotations

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_json, table


def notifications(ctx: typer.Context, as_json: Json = False) -> None:
    """Show notifications that have not arrived yet, with their next try.

    Example: fulcrum notifications
    """
    with client(ctx) as service:
        found = service.notifications()
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    result = table("TO", "!SINCE", ">TRIES", "!NEXT", "WHAT", drop=("SINCE", "NEXT"))
    for one in found.pending:
        due = text_format.moment(one.due) if one.tries else "at once"
        since = text_format.moment(one.since)
        result.add_row(escape(one.to), since, str(one.tries), due, escape(one.text))
    out().print(result if found.pending else "[dim]all notifications have arrived[/]")
