"""backup, restore: on the service's own machine, in its data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.support import text_format
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from scheduler.settings import Settings


def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Default: fulcrum-DATE-TIME.tar in this folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Back up database, learned policies and tokens into one file, while the service runs.

    Jobs' files (logs, checkpoints, artifacts) are not in it.

    Example: fulcrum backup /backups/monday.tar
    """
    from datetime import UTC, datetime

    from api.backup import create, file_name

    target = (file or Path(file_name(datetime.now(UTC)))).expanduser().absolute()
    create(_settings(ctx), target)
    size = target.stat().st_size
    if as_json:
        print_json({"file": str(target), "bytes": size})
    else:
        out().print(f"{target} ({text_format.size(size)})", soft_wrap=True, markup=False)


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made by `fulcrum backup`.")],
    as_json: Json = False,
) -> None:
    """Restore a backup; the service must be stopped. The present data is kept aside.

    Example: fulcrum restore /backups/monday.tar
    """
    from api.backup import restore as go_back

    found = go_back(_settings(ctx), file.expanduser().absolute())
    if as_json:
        print_json({"made_at": found.made_at, "jobs": found.jobs, "set_aside": str(found.aside)})
        return
    out().print(
        f"restored the backup of {found.made_at}: {counted(found.jobs, 'job')}", soft_wrap=True
    )
    out().print(f"what was there before: {found.aside}", soft_wrap=True, markup=False)


def _settings(ctx: typer.Context) -> Settings:
    from scheduler.settings import load

    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    return load(None, {"data_dir": options.data})
