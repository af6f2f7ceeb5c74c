"""The result of a job: its figures, the scores of each class, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.output import facts, table

MOST_CLASSES = 15
"""A terminal shows a confusion matrix of so many classes; confusion.csv has any."""
TABLES = ("per_class", "confusion", "voters")
"""Parts of a result that are shown as tables."""


def tables(result: Mapping[str, Any], work: Mapping[str, Any]) -> Iterator[Table]:
    """Yield tables of a result; `work` is what the job was asked to do."""
    yield mapping({name: one for name, one in result.items() if name not in TABLES}, "Result")
    metrics = result.get("metrics", {})
    if result.get("voters"):
        yield _voters(result["voters"], work, metrics)
    if result.get("per_class"):
        yield _per_class(result["per_class"], metrics)
    confusion = result.get("confusion", {})
    if 0 < len(confusion.get("classes", ())) <= MOST_CLASSES:
        yield _confusion(confusion["classes"], confusion["counts"])


def mapping(values: Mapping[str, Any], title: str | None = None) -> Table:
    """Return names and values, nested tables as dotted names."""
    result = facts(title)
    for name, value in flat(values):
        result.add_row(f"[dim]{escape(name)}[/]", escape(text(value)))
    return result


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all values that are no tables, nested ones with dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def text(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " ".join(map(text, value)) if value else "–"
    return "–" if value is None else str(value)


def _per_class(rows: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, Any]) -> Table:
    columns = ("~CLASS", ">IMAGES", ">PRECISION", ">RECALL", ">F1")
    result = table(*columns, title="Scores of each class")
    rates = ("precision", "recall", "f1")
    for name, row in rows.items():
        shown = (text_format.share(row.get(rate)) for rate in rates)
        result.add_row(escape(name), str(row.get("images", "–")), *shown)
    whole = sum(row.get("images", 0) for row in rows.values())
    means = (f"[bold]{text_format.share(metrics.get(rate))}[/]" for rate in rates)
    result.add_row("[bold]mean[/]", f"[bold]{whole}[/]", *means)
    return result


def _confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    names = [escape(name) for name in classes]
    title = "Confusion matrix: images by class (rows) and by label (columns)"
    result = table("!", *(f">{name}" for name in names), title=title)
    for at, (name, row) in enumerate(zip(names, counts, strict=True)):
        cells = ("[dim]·[/]" if not count else str(count) for count in row)
        marked = [f"[green]{cell}[/]" if at == to else cell for to, cell in enumerate(cells)]
        result.add_row(f"[bold]{name}[/]", *marked)
    return result


def _voters(
    voters: Sequence[Mapping[str, Any]], work: Mapping[str, Any], metrics: Mapping[str, Any]
) -> Table:
    title = "Accuracy of each model alone"
    result = table("MODEL", "FROM", ">ACCURACY", title=title)
    for voter in voters:
        _, part, index = str(voter.get("source", "work..0")).split(".")
        named = work.get(part) or ()
        source = named[int(index)] if int(index) < len(named) else "–"
        where = f"job {source}" if isinstance(source, int) else str(source)
        model = escape(str(voter.get("model")))
        result.add_row(model, escape(where), text_format.share(voter.get("accuracy")))
    accuracy = text_format.share(metrics.get("accuracy"))
    result.add_row("[bold]together[/]", "", f"[bold]{accuracy}[/]")
    return result
