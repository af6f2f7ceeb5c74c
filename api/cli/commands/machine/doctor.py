"""doctor."""

from __future__ import annotations

import typer
from rich.markup import escape

from api.cli.support.exit_codes import ExitCode
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Check everything that jobs need on this machine, and say how to repair it.

    Example: fulcrum doctor
    """
    from api.cli.views.doctor.checks import examine
    from api.cli.views.doctor.findings import CheckResult, Patient

    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    findings = []
    console = out()
    for finding in examine(Patient(options.url, options.data)):
        findings.append(finding)
        if as_json:
            continue
        mark = f"[{COLOURS[finding.verdict]}]{finding.verdict:<4}[/]"
        console.print(f"{mark}  {finding.name:<12} {escape(finding.text)}", soft_wrap=True)
        if finding.advice:
            console.print(f"      {'':<12} → {escape(finding.advice)}", soft_wrap=True)
    if as_json:
        print_json(
            [
                {"name": one.name, "verdict": one.verdict, "text": one.text, "advice": one.advice}
                for one in findings
            ]
        )
    if any(finding.verdict is CheckResult.FAIL for finding in findings):
        raise typer.Exit(ExitCode.FAILED)
