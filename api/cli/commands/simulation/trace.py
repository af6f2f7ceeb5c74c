"""trace info: what a workload trace is like."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json
from api.cli.support.output import err, out, print_json, table

if TYPE_CHECKING:
    from envs.workloads.summary import Distribution, WorkloadSummary
    from envs.workloads.throughputs import Throughputs

SHOWN = 5
"""Skipped rows named before the rest is counted."""


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Plain or gzipped.")],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", help="swf, philly, muri, openb, fulcrum or gavel; default: as it looks."
        ),
    ] = None,
    processors: Annotated[
        int | None,
        typer.Option(min=1, help="Devices of the machine, for the load; wider jobs are left out."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the file if any row cannot be used.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the distributions: png, svg, pdf.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count and describe the jobs of a trace of any known format.

    Example: fulcrum trace info KTH-SP2.swf.gz --plot kth.png
    """
    from envs.workloads import summary
    from envs.workloads.throughputs import Throughputs
    from envs.workloads.traces import formats, swf
    from envs.workloads.traces.documents import open_document

    name, content = formats.read_any(file, format_name, strict=strict, processors=processors)
    if isinstance(content, Throughputs):
        _throughputs(content, as_json=as_json)
        return
    if processors is None and name == "swf":
        processors = swf.machine_size(open_document(file))
    figures = summary.describe(content, processors)
    if plot is not None:
        summary.plot(content, plot)
    if as_json:
        print_json({"format": name, **asdict(figures), "skipped_rows": list(content.skipped)})
        return
    _print(name, figures)
    for row in content.skipped[:SHOWN]:
        err().print(f"[yellow]skipped[/] {escape(row)}", soft_wrap=True)
    if len(content.skipped) > SHOWN:
        err().print(f"[yellow]skipped[/] {len(content.skipped) - SHOWN} more (--json names all)")


def _print(name: str, figures: WorkloadSummary) -> None:
    console = out()
    load = "–" if figures.load is None else f"{figures.load:.3f} of {figures.processors} devices"
    facts = {
        "format": name,
        "source": figures.source,
        "jobs": f"{figures.jobs:,} ({figures.skipped:,} rows skipped)",
        "span": text_format.seconds(figures.span_s),
        "load": load,
        "users": f"{figures.users:,} in {figures.projects:,} projects",
        "kinds of work": f"{figures.kinds:,}",
        "deadlines": f"{figures.deadlines:,}",
        "devices": ", ".join(f"{device} ({jobs:,})" for device, jobs in figures.devices.items()),
    }
    for label, text in facts.items():
        console.print(f"[bold]{label:<14}[/] {escape(text)}", soft_wrap=True)
    result = table(
        *("!", ">MEAN", ">STD", ">MIN", ">P5", ">P25", ">P50", ">P75", ">P95", ">P99", ">MAX"),
        drop=("P5", "STD", "P99", "MIN", "P25", "P75", "P95", "MAX"),
    )
    for label, distribution in (
        ("size", figures.size),
        ("runtime (s)", figures.runtime_s),
        ("interarrival (s)", figures.interarrival_s),
        ("requested ÷ true", figures.estimate_factor),
    ):
        if distribution is not None:
            result.add_row(label, *_figures(distribution))
    console.print()
    console.print(result)


def _figures(distribution: Distribution) -> list[str]:
    return [f"{value:,.4g}" for value in asdict(distribution).values()]


def _throughputs(content: Throughputs, *, as_json: bool) -> None:
    devices = sorted({device for by in content.rates.values() for device in by})
    if as_json:
        rows: dict[str, Any] = {
            work: {device: dict(widths) for device, widths in by.items()}
            for work, by in content.rates.items()
        }
        print_json(
            {"format": "gavel", "unit": content.unit, "rates": rows, "pairs": len(content.paired)}
        )
        return
    console = out()
    console.print(
        f"{len(content.rates)} kinds of work on {len(devices)} devices, "
        f"{len(content.paired):,} pairs; {content.unit} on one device:\n"
    )
    result = table("~WORK", "!KIND", *(f">{device.upper()}" for device in devices))
    for work in content.rates:
        rates = (content.rate(work, device) for device in devices)
        cells = ("–" if rate is None else f"{rate:.3g}" for rate in rates)
        result.add_row(escape(work), content.kinds[work].value, *cells)
    console.print(result)
