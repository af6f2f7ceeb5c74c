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
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import err, out, print_json
from api.cli.support.processes import Workers, processes

if TYPE_CHECKING:
    from agents.evaluation.promotion import PromotionTest
    from agents.registry.registry import Entry, Registry
    from agents.serving.artifact import ArtifactManifest
    from envs.scenarios import Scenario
    from scheduler.policies.schedules.library import Library

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="NAME or NAME@DIGEST, as in `fulcrum policy ls`.")
]
Scenarios = Annotated[
    str | None,
    typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Default: what it learned on."),
]


def show(
    ctx: typer.Context,
    policy: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="Registered, or a folder with a path.")
    ],
    as_json: Json = False,
) -> None:
    """What a learned policy was made from, how it learned, and how it did on validation workloads.

    Example: fulcrum policy show runs/first/best
    """
    from agents.serving.artifact import load
    from api.cli.views import policy_details

    if "/" in policy or Path(policy, "manifest.json").is_file():
        manifest, facts = load(Path(policy)).manifest, {"name": f"learned:{policy}"}
        events: list[dict[str, Any]] = []
    else:
        registry = registry_of(ctx)
        entry = registry.find(policy)
        manifest, facts = entry.manifest(), {"name": entry.reference, "state": entry.state}
        events = [asdict(event) for event in registry.history(entry)]
    if as_json:
        print_json({**asdict(manifest), **facts, "history": events})
        return
    policy_details.show(manifest, facts, events, out())


def compare(
    ctx: typer.Context,
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY…", help="Learned ones and heuristics by name.")
    ],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Where to compare them.")
    ] = "mixed-cloud",
    workloads: Annotated[int, typer.Option(min=1, help="Different ones, of the split test.")] = 8,
    as_json: Json = False,
) -> None:
    """Hold policies against the first, as `fulcrum compare` does with its own defaults.

    Example: fulcrum policy compare wgc learned:ours -s mixed-cloud
    """
    from agents.registry.registry import at

    registry = registry_of(ctx)
    names = [_known(name, registry) for name in policies]
    # Other processes look the names up as well, in the data folder that the settings name.
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
    workloads: Annotated[int, typer.Option(min=6, help="Held out from all learning.")] = 24,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Of each workload; default: as the scenario says.")
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="What may be lost to a heuristic, as a share of wgc's."),
    ] = 0.0,
    workers: Workers = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Promote whatever the test, which is run all the same, says; it is recorded.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a policy the incumbent if it beats the present one and the heuristics.

    A paired test on test workloads: the upper end of the 95 % interval of the mean difference must
    be below 0 to the incumbent, and at most the margin to wgc, also as tuned for the scenario, to
    fastest, cheapest, best-value, sjf, fcfs, saf, f1 and f4. Exits 4 if it is refused.

    Example: fulcrum policy promote ours --scenario mixed-cloud --workloads 48
    """
    from agents.registry.registry import at
    from api.cli.views import policy_details
    from scheduler.domain.errors import FulcrumError, StateError

    registry = registry_of(ctx)
    entry, incumbent = registry.find(name), registry.incumbent()
    if incumbent == entry:
        raise StateError(f"{entry.reference} is the incumbent already")
    manifest = entry.manifest()
    if incumbent is not None and (fault := incumbent.fault()):
        err().print(f"[yellow]not compared with the incumbent:[/] {escape(fault)}")
    found: PromotionTest | None = None
    try:
        where = _scenario(scenario, manifest)
        with at(registry.folder.parent):
            found = tested(
                entry, incumbent, where, workloads=workloads, jobs=jobs, margin=margin,
                workers=workers,
            )  # fmt: skip
    except FulcrumError as error:
        if not force:
            raise
        err().print(f"[yellow]not tested:[/] {escape(error.message)}", soft_wrap=True)
    entry, promoted = judged(registry, entry, found, incumbent, force=force)
    if as_json:
        plain = None if found is None else found.plain()
        print_json(
            {"policy": entry.reference, "promoted": promoted, "forced": force, "trial": plain}
        )
    else:
        if found is not None:
            policy_details.tell(found, out())
        _tell(entry, promoted, force=force and not (found and found.passed))
    if not promoted:
        raise typer.Exit(ExitCode.REFUSED)


def export(
    ctx: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NAME.tar.gz or NAME.zip.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a registered policy into one file.

    Example: fulcrum policy export ours ours.tar.gz
    """
    from agents.registry.archive import pack

    entry = registry_of(ctx).find(name)
    entry.manifest()
    pack(entry.folder, file, overwrite=force)
    if as_json:
        print_json({"policy": entry.reference, "digest": entry.digest, "file": str(file)})
    else:
        out().print(f"[bold]{escape(entry.reference)}[/] → {escape(str(file))}", soft_wrap=True)


def take(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="As exported, or of a training.")
    ],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Default: that of the file or the training."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register a policy from a file, or from the folder of a training; nothing in it is run.

    A `.toml` that `fulcrum scenario tune` wrote becomes `wgc:NAME`.

    Example: fulcrum policy import runs/first/best --as ours
    """
    from agents.registry.archive import unpack
    from agents.serving.artifact import BEST
    from scheduler.domain.errors import MissingError
    from scheduler.policies import schedules
    from scheduler.policies.schedules import library

    if not file.exists():
        raise MissingError(f"there is no {file}", {"file": "an exported policy, or a folder"})
    if file.suffix == schedules.SUFFIX:
        text = library.text_of(file)
        reference = schedules_of(ctx).add(name or library.name_of(file), text)
        if as_json:
            print_json({"policy": reference, "digest": None})
        else:
            out().print(f"[bold]{escape(reference)}[/] registered", soft_wrap=True)
        return
    weights, manifest = unpack(file / BEST if (file / BEST).is_dir() else file)
    whole = file.resolve()
    # What trainings leave is called `best` in all of them.
    origin = whole.parent if whole.name == BEST else whole
    called = name or origin.name.partition(".")[0].casefold()
    entry = registry_of(ctx).add(called, weights, manifest, command_line())
    if as_json:
        print_json({"policy": entry.reference, "digest": entry.digest})
    else:
        out().print(f"[bold]{escape(entry.reference)}[/] registered", soft_wrap=True)


def registry_of(ctx: typer.Context) -> Registry:
    """That of the data folder of this command line."""
    from agents.registry.registry import Registry

    return Registry(_data_dir(ctx))


def schedules_of(ctx: typer.Context) -> Library:
    """Those of the data folder of this command line."""
    from scheduler.policies.schedules.library import Library

    return Library(_data_dir(ctx))


def _data_dir(ctx: typer.Context) -> Path:
    from scheduler import settings

    door = ctx.find_object(GlobalOptions) or GlobalOptions()
    return settings.load(overrides={"data_dir": door.data}).data_dir


def tested(
    entry: Entry,
    incumbent: Entry | None,
    scenario: Scenario,
    *,
    workloads: int,
    jobs: int | None,
    margin: float,
    workers: int | None,
) -> PromotionTest:
    """The test for a promotion, with a bar; an incumbent that is damaged takes no part."""
    from agents.evaluation import promotion
    from api.cli.support.progress_bar import ProgressBar

    rival = incumbent.reference if incumbent and not incumbent.fault() else None
    plan = promotion.plan(entry.reference, rival, scenario, workloads=workloads, jobs=jobs)
    with ProgressBar("testing", len(plan.cells), err()) as bar:
        return promotion.trial(
            plan, rival, margin=margin, workers=processes(workers), done=lambda _: bar.step()
        )


def judged(
    registry: Registry,
    entry: Entry,
    trial: PromotionTest | None,
    incumbent: Entry | None,
    *,
    force: bool,
) -> tuple[Entry, bool]:
    """Promote it or refuse to, and write that down; the entry then, and whether it was promoted.

    `incumbent`: of when the test began. Raises `StateError` if there is another by now.
    """
    passed = trial is not None and trial.passed
    plain = None if trial is None else trial.plain()
    if passed or force:
        forced = force and not passed
        entry = registry.promote(
            entry, command_line(), forced=forced, trial=plain, instead=incumbent
        )
        return entry, True
    assert plain is not None
    registry.refuse(entry, command_line(), plain)
    return entry, False


def command_line() -> str:
    """What was typed."""
    return " ".join(["fulcrum", *map(shlex.quote, sys.argv[1:])])


def _known(name: str, registry: Registry) -> str:
    """The exact reference of a registered policy; anything else as it is."""
    from agents.registry.registry import is_path
    from agents.serving.learned_policy import SCHEME

    scheme, _, rest = name.partition(":")
    return registry.find(rest).reference if scheme == SCHEME and not is_path(rest) else name


def _scenario(name: str | None, manifest: ArtifactManifest) -> Scenario:
    from envs.scenarios import load
    from scheduler.domain.errors import FulcrumError, MissingError

    if name is not None:
        return load(name)
    learned_on = str(manifest.config.get("scenario", manifest.scenario))
    try:
        return load(learned_on)
    except FulcrumError as error:
        raise MissingError(
            f"the scenario it learned on cannot be loaded: {error.message}",
            {"--scenario": "a name or a file to test it in"},
        ) from error


def _tell(entry: Entry, promoted: bool, *, force: bool) -> None:
    name = escape(entry.reference)
    if not promoted:
        out().print(f"[bold red]refused:[/] {name} is not shown to be better; --force promotes it")
        return
    how = "promoted by force" if force else "promoted"
    out().print(f"[bold green]{how}:[/] {name}; let it decide: fulcrum policy use {name}")
