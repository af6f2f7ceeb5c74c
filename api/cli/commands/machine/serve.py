"""serve."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import GlobalOptions
from api.cli.support.output import out, print_line, table

if TYPE_CHECKING:
    from api.http.asgi.server import Server
    from scheduler.service.holder import ServiceHolder
    from scheduler.service.service import Service
    from scheduler.settings import Settings


def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: loopback only.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0: any free one; default: 8470.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the database, job folders and tokens.", metavar="FOLDER"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; default: ./fulcrum.toml.", metavar="FILE")
    ] = None,
    standby: Annotated[
        bool,
        typer.Option(
            "--standby", help="Follow the service on this PostgreSQL database, and take over."
        ),
    ] = False,
    ray: Annotated[
        bool | None,
        typer.Option(
            "--ray/--no-ray",
            help="Run jobs on the nodes of a Ray cluster, and start its head; default: as before.",
            show_default=False,
        ),
    ] = None,
    ray_host: Annotated[
        str | None,
        typer.Option(help="Address on which nodes reach the head; default: this machine only."),
    ] = None,
    ray_port: Annotated[
        int | None, typer.Option(help="Port of the head; default: 6379.", min=1, max=65535)
    ] = None,
    abandon: Annotated[
        bool,
        typer.Option(
            "--abandon", help="Give up jobs that run where this start cannot see them (see --ray)."
        ),
    ] = False,
    log_level: Annotated[
        str, typer.Option(help="Log level: debug, info, warning or error.", metavar="LEVEL")
    ] = "warning",
    log_format: Annotated[
        str,
        typer.Option(
            help="Form of the log on stderr: text, or json for one object a line.", metavar="FORMAT"
        ),
    ] = "text",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the announcement as JSON.")
    ] = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM; running jobs continue without it.

    Example: fulcrum serve --data ~/fulcrum --port 8470
    """
    from api.client.connection import reachable, reachable_elsewhere
    from api.http.auth import admin_token
    from scheduler.settings import load

    _configure_logs(log_level, log_format)
    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    given = {"host": host, "port": port, "data_dir": data or options.data}
    given["standby"] = standby or None
    settings = load(config, given)
    head = _ray_head(settings, ray, ray_host, ray_port)
    if head is not None:
        settings = load(config, {**given, "executor.kind": "ray", "ray.address": head})
    # A signal that arrives while the service starts or stops must not tear it apart; uvicorn
    # takes over in between, and hands back the signals it has heard.
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _: asked.append(signum))
    from agents.evaluation.replay_process import ReplayProcess
    from agents.registry.registry import Registry
    from agents.serving.learned_policy import SCHEME
    from scheduler import bootstrap
    from scheduler.node import head_address
    from scheduler.policies.lookup import WGC, PolicyResolver
    from scheduler.policies.schedules.library import Library
    from scheduler.service.holder import ServiceHolder

    schedules = Library(settings.data_dir)
    settings = settings.model_copy(
        update={
            "policy": schedules.taken(settings.policy),
            "shadow": settings.shadow and schedules.taken(settings.shadow),
        }
    )
    parts = (
        settings,
        ReplayProcess(settings.data_dir, settings.database),
        PolicyResolver({SCHEME: Registry(settings.data_dir).policy, WGC.name: schedules.policy}),
    )
    services = (
        bootstrap.standby(*parts)
        if settings.standby
        else ServiceHolder(bootstrap.build(*parts, abandon=abandon))
    )
    head_address.keep(settings.data_dir, head)
    admin_token(settings.data_dir)
    with _listening(settings) as listener:
        url = reachable(settings.host, listener.getsockname()[1])
        server = _server(services, settings, access_log=log_level in ("debug", "info"))
        services.when_deposed(
            lambda why: _leave(why, again=settings.standby and not (asked or server.should_exit))
        )
        with _address_file(settings.data_dir, url, services):
            services.announce(reachable_elsewhere(settings.host, listener.getsockname()[1]))
            _announce(services.current, settings, url, as_json=as_json)
            if not asked:
                server.run(sockets=[listener])
    if not as_json:
        until = ", so do Ray's head and nodes until `fulcrum node leave --all`"
        beside = until if head is not None and _runs_here(head) else ""
        out().print(f"[dim]stopped; running jobs continue{beside}[/]")
    if services.compiling:
        # The compiler's thread goes on while the interpreter ends, and would abort the process.
        sys.stdout.flush()
        os._exit(0)


DEPOSED = 75
"""Exit code of a service that another one has replaced: EX_TEMPFAIL, start it again later."""


def _leave(why: str, *, again: bool) -> None:
    """End at once: another service leads, and no thread of this one may act any more.

    With `again` it begins once more in the same process, as a follower. Its requests end with
    their connections, for what they ask could no longer be carried out here.
    """
    print(f"{why}; {'it follows from now on' if again else 'it ends'}", file=sys.stderr)
    sys.stderr.flush()
    if again:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    os._exit(DEPOSED)


def _ray_head(
    settings: Settings, wanted: bool | None, host: str | None, port: int | None
) -> str | None:
    """The address of the head, which is started if it does not run; None: no head is wanted.

    Without an option and without `executor.kind` it is as at the last start: else the attempts on
    nodes would count as lost.
    """
    from scheduler.node import head_address

    before = head_address.read(settings.data_dir)
    if wanted is None and not (host or port):
        wanted = head_address.remembered(settings) is not None
    if wanted is False:
        return None
    from scheduler.node import engine
    from scheduler.node.local_nodes import why_not_own

    if before is not None and not (host or port) and why_not_own(before[0]):
        return f"{before[0]}:{before[1]}"  # the head of the other service's machine
    host, port = host or (before and before[0]), port or (before and before[1])
    token = engine.token_file(settings.data_dir)
    return engine.start_head(host or engine.THIS_MACHINE, port or engine.PORT, token)


def _runs_here(head: str) -> bool:
    from scheduler.node.local_nodes import local_nodes

    return any(not node.name and node.belongs_to(head) for node in local_nodes())


def _configure_logs(level: str, form: str) -> None:
    """Raises `InputError` for an unknown level or form."""
    from scheduler import logs
    from scheduler.domain.errors import InputError

    if level not in logs.LEVELS:
        legal = ", ".join(logs.LEVELS)
        raise InputError(f"unknown log level {level!r}", {"log-level": f"one of {legal}"})
    if form not in list(logs.LogFormat):
        raise InputError(f"unknown log format {form!r}", {"log-format": "text or json"})
    logs.configure(level, logs.LogFormat(form))


def _server(services: ServiceHolder, settings: Settings, *, access_log: bool) -> Server:
    from api.http.app import create_app
    from api.http.asgi.server import Server

    app = create_app(services, settings)
    return Server(app, access_log=access_log)


def _listening(settings: Settings) -> socket.socket:
    """Return the bound socket. Raises `StateError` if the address is not available."""
    from scheduler.domain.errors import StateError

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        # From now on requests wait until the service is ready, instead of being turned away.
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StateError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            {"port": "a free one; 0 takes any", "host": "an address of this machine"},
        ) from None
    return listener


def _announce(service: Service, settings: Settings, url: str, *, as_json: bool) -> None:
    from api.client.connection import TOKEN_FILE

    views = service.cluster.view().pools
    pools = [view.pool for view in views]
    token = settings.data_dir / TOKEN_FILE
    if as_json:
        names = [pool.name for pool in pools]
        print_line(
            {"url": url, "data": str(settings.data_dir), "token": str(token), "pools": names}
        )
        return
    console = out()
    console.print(f"Fulcrum listens on [bold]{url}[/]", soft_wrap=True)
    console.print(f"data in {escape(str(settings.data_dir))}", soft_wrap=True)
    console.print(f"token in {escape(str(token))}", soft_wrap=True)
    if settings.executor.kind == "ray":
        join = f"fulcrum node join {settings.ray.address} --name NAME"
        console.print(f"nodes join by: {escape(join)}", soft_wrap=True)
    if not views:
        return
    columns = ("!POOL", "!KIND", "MODEL", "!STATE", ">DEVICES", ">MEMORY", ">$/DEVICE HOUR")
    result = table(*columns, ">WATTS", drop=("KIND", "WATTS", "MEMORY", "MODEL"))
    for view in views:
        pool = view.pool
        memory = pool.memory_per_node * pool.nodes
        result.add_row(
            escape(pool.name),
            pool.kind.value,
            escape(pool.model),
            "up" if view.available else "unavailable",
            str(pool.count),
            text_format.size(memory) if memory else "–",
            f"{pool.dollars_per_device_hour:.4g}",
            f"{pool.watts_per_device:.4g}",
        )
    console.print(result)


@contextmanager
def _address_file(data_dir: Path, url: str, services: ServiceHolder) -> Iterator[None]:
    """Write the address file (0600) once the service leads, and remove it when it stops."""
    from api.client.connection import ADDRESS_FILE
    from scheduler.files import write_text

    path = data_dir / ADDRESS_FILE
    line = f"{url}\n"
    services.when_leading(lambda: write_text(path, line, private=True, durable=False))
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            if path.read_text() == line:  # not that of another service, which leads now
                path.unlink()
