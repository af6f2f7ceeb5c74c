"""The looks of all plots: inline SVG that follows the page's light or dark colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's colour of text, and becomes it in `svg`."""
FAINT = "#010204"
"""Stands for the page's colour of fine lines."""
PAPER = "#010205"
"""Stands for the page's background."""
COLOURS = (
    "#5588bb",
    "#ee6677",
    "#339944",
    "#ccaa22",
    "#44aacc",
    "#bb4488",
    "#997755",
    "#ee8833",
    "#8877dd",
    "#779999",
)
"""After Tol's bright scheme, which the colour-blind can tell apart; readable on light and dark."""
DASHES = ("solid", (0, (5, 2)), (0, (1.2, 1.2)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "fulcrum",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.55,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.6,
    "path.simplify": True,
}
_number = re.compile(r'(id="|href="#|url\(#)')


@contextmanager
def styled() -> Iterator[None]:
    """Figures made and drawn inside look like the others."""
    with mpl.rc_context(_SETTINGS):
        yield


@contextmanager
def printed() -> Iterator[None]:
    """As `styled`, for pictures outside a page: dark on white."""
    colours = {INK: "#111111", FAINT: "#999999"}
    settings = {
        name: colours.get(value, value) if isinstance(value, str) else value
        for name, value in _SETTINGS.items()
    }
    settings |= {"figure.facecolor": "#ffffff", "savefig.facecolor": "#ffffff"}
    with mpl.rc_context(settings):
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that no window knows of."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(made)
    return made


def look(index: int) -> tuple[str, Any, str]:
    """(colour, dashes, marker) of the index-th policy; 40 differ."""
    turn = index // len(COLOURS)
    return (
        COLOURS[index % len(COLOURS)],
        DASHES[turn % len(DASHES)],
        MARKERS[turn % len(MARKERS)],
    )


def bare(axes: Axes) -> None:
    """Without grid, ticks and frame."""
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def svg(made: Figure, name: str, title: str) -> str:
    """An <svg> element for a page that defines --faint and --paper.

    `name` is unique on the page: it keeps the ids of figures apart. `title` is what screen readers
    say.
    """
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=144)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, style in ((INK, "currentColor"), (FAINT, "var(--faint)"), (PAPER, "var(--paper)")):
        text = text.replace(colour, style)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = _number.sub(rf"\g<1>{name}-", text)
    # The width follows the page; the viewBox keeps the shape.
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    described = f' role="img" aria-label="{title}"'
    return f"{head}{described}>{rest}"
