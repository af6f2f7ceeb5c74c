"""policy show, compare, promote, export, import: the registry of learned policies."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.commands.simulation.compare import compare as compare_all
from api.cli.support.exit_codes import ExitCode
from api.cli.support.global_options import GlobalOptions, Json, client
from api.cli.support.output import err, out, print_json
from api.cli.support.processes import Workers, processes

if TYPE_CHECKING:
    from agents.evaluation.promotion import Promotion
    from agents.registry.registry import Registry
    from scheduler.policies.schedules.library import Library

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="NAME or NAME@DIGEST, as in `fulcrum policy ls`.")
]
Scenarios = Annotated[
    str | None,
    typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Default: where it was trained."),
]


def show(
    ctx: typer.Context,
    policy: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="Registered, or a file or folder.")
    ],
    as_json: Json = False,
) -> None:
    """Show how a learned policy was trained, its validations, and its audit log.

    Example: fulcrum policy show runs/first/best
    """
    from agents.serving.artifact import FILE, load
    from api.cli.views import policy_details

    if "/" in policy or Path(policy).is_file() or Path(policy, FILE).is_file():
        manifest, facts = load(Path(policy)).manifest, {"name": f"learned:{policy}"}
        events: list[dict[str, Any]] = []
    else:
        registry = registry_of(ctx)
        entry = registry.find(policy)
        manifest, facts = entry.manifest(), {"name": entry.reference, "state": entry.state}
        events = [event.plain() for event in registry.history(entry)]
    if as_json:
        print_json({**asdict(manifest), **facts, "history": events})
        return
    policy_details.show(manifest, facts, events, out())


def compare(
    ctx: typer.Context,
    policies: Annotated[
        list[str],
        typer.Argument(metavar="POLICY…", help="Learned policies and heuristics."),
    ],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Where to compare them.")
    ] = "mixed-cloud",
    workloads: Annotated[int, typer.Option(min=1, help="Test workloads.")] = 8,
    as_json: Json = False,
) -> None:
    """Compare policies with the first one, as `fulcrum compare` does, with other defaults.

    Example: fulcrum policy compare wgc learned:ours -s mixed-cloud
    """
    from agents.registry.registry import at

    registry = registry_of(ctx)
    names = [_known(name, registry) for name in policies]
    # Worker processes find the policies in the data folder that the settings name.
    with at(registry.folder.parent):
        compare_all(
            policies=",".join(dict.fromkeys(names)),
            scenarios=[scenario],
            seeds=str(workloads),
            preferences=".2,.5,.8",
            as_json=as_json,
        )


def promote(
    ctx: typer.Context,
    name: Name,
    scenario: Scenarios = None,
    workloads: Annotated[int, typer.Option(min=6, help="Test workloads.")] = 24,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Jobs of each workload; default: as in the scenario.")
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="Loss to a heuristic that passes, as a share of wgc's."),
    ] = 0.0,
    workers: Workers = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Promote even if the test fails; the test runs, and the log records both.",
        ),
    ] = False,
    use: Annotated[
        bool, typer.Option("--use", help="Let it decide in the running service once promoted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a policy the incumbent if it beats the present one and the heuristics.

    A paired test on test workloads: the upper end of the 95 % interval of the mean difference must
    be below 0 to the incumbent, and at most the margin to wgc, also as tuned for the scenario, to
    fastest, cheapest, best-value, sjf, fcfs, saf, f1 and f4. Exits 4 if it is refused.

    Example: fulcrum policy promote ours --scenario mixed-cloud --workloads 48 --use
    """
    from agents.evaluation import promotion
    from api.cli.support.progress_bar import ProgressBar
    from api.cli.views import policy_details
    from api.cli.views.training_progress import emit, emit_share
    from envs.scenarios import load

    def use_policy(reference: str) -> None:
        with client(ctx) as service:
            service.use_policy(reference)

    with ProgressBar("testing", 0, err()) as bar:

        def progress(done: int, runs: int) -> None:
            bar.reach(done, runs)
            emit_share(done, runs)

        found = promotion.promote(
            registry_of(ctx),
            name,
            scenario=None if scenario is None else load(scenario),
            workloads=workloads,
            jobs=jobs,
            margin=margin,
            workers=processes(workers),
            force=force,
            use=use_policy if use else None,
            command=command_line(),
            progress=progress,
        )
    emit("promotion", **found.plain())
    for note in found.notes:
        err().print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if as_json:
        print_json(found.plain())
    else:
        if found.test is not None:
            policy_details.show_test(found.test, out())
        _show_outcome(found)
    if not found.promoted:
        raise typer.Exit(ExitCode.REFUSED)


def export(
    ctx: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NAME.onnx.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a registered policy into one file, an ONNX model that holds its manifest.

    Example: fulcrum policy export ours ours.onnx
    """
    from scheduler.domain.errors import InputError, StateError
    from scheduler.files import write_bytes

    if file.suffix != ".onnx":
        raise InputError(f"{file.name} does not end in .onnx", {"file": "NAME.onnx"})
    entry, content = registry_of(ctx).export(name)
    if file.exists() and not force:
        raise StateError(f"{file} exists already", {"file": "a new one, or --force"})
    try:
        write_bytes(file, content)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error}", {"file": "a path"}) from error
    if as_json:
        print_json({"policy": entry.reference, "digest": entry.digest, "file": str(file)})
    else:
        out().print(f"[bold]{escape(entry.reference)}[/] → {escape(str(file))}", soft_wrap=True)


def take(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE|FOLDER", help="Exported, or a training's folder."),
    ],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Default: that of the file or the training."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register a policy from a file, or from the folder of a training; none of its code is run.

    A `.toml` that `fulcrum scenario tune` wrote becomes `wgc:NAME`. Archives (`.tar.gz`, `.zip`)
    that older versions exported are read too.

    Example: fulcrum policy import runs/first/best --as ours
    """
    from scheduler.policies import schedules
    from scheduler.policies.schedules import library

    digest: str | None = None
    if file.suffix == schedules.SUFFIX and file.exists():
        text = library.text_of(file)
        reference = schedules_of(ctx).add(name or library.name_of(file), text)
    else:
        entry = registry_of(ctx).import_file(file, name, command_line())
        reference, digest = entry.reference, entry.digest
    if as_json:
        print_json({"policy": reference, "digest": digest})
    else:
        out().print(f"[bold]{escape(reference)}[/] registered", soft_wrap=True)


def registry_of(ctx: typer.Context) -> Registry:
    """The registry of the data folder that this command line names."""
    from agents.registry.registry import Registry

    return Registry(_data_dir(ctx))


def schedules_of(ctx: typer.Context) -> Library:
    """The tuned constants of the data folder that this command line names."""
    from scheduler.policies.schedules.library import Library

    return Library(_data_dir(ctx))


def _data_dir(ctx: typer.Context) -> Path:
    from scheduler import settings

    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    return settings.load(overrides={"data_dir": options.data}).data_dir


def command_line() -> str:
    """The command as it was typed."""
    return " ".join(["fulcrum", *map(shlex.quote, sys.argv[1:])])


def _known(name: str, registry: Registry) -> str:
    """The exact reference of a registered policy; other names unchanged."""
    from agents.registry.registry import is_path
    from agents.serving.learned_policy import SCHEME

    scheme, _, rest = name.partition(":")
    return registry.find(rest).reference if scheme == SCHEME and not is_path(rest) else name


def _show_outcome(found: Promotion) -> None:
    name = escape(found.entry.reference)
    if not found.promoted:
        out().print(f"[bold red]refused:[/] {name} is not shown to be better; --force promotes it")
        return
    how = "promoted by force" if found.forced else "promoted"
    then = "it decides now" if found.used else f"let it decide: fulcrum policy use {name}"
    out().print(f"[bold green]{how}:[/] {name}; {then}")
