"""Names beside points, at places that are free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

_OFFSETS = tuple(
    (radius * x, radius * y, align)
    for radius in (7.0, 13.0, 21.0, 32.0, 46.0)
    for x, y, align in (
        (1, 0.2, "left"),
        (0.7, 0.9, "left"),
        (0.7, -1.1, "left"),
        (-1, 0.2, "right"),
        (-0.7, 0.9, "right"),
        (-0.7, -1.1, "right"),
        (0, 1.2, "center"),
        (0, -1.6, "center"),
    )
)
"""Points (1/72 inch) from a point to its name, the nearest first."""


def place(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    colours: Sequence[str],
    *,
    avoid: Sequence[tuple[float, float]] = (),
) -> None:
    """Write each name near its point, clear of other names, points and `avoid` if possible.

    Greedy, in the order given. A name far from its point gets a line to it.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    # The raster backend measures the text; its fonts are the same.
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    scale = figure.dpi / 72
    spots = axes.transData.transform(np.asarray([*points, *avoid], dtype=np.float64))
    taken = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in spots]
    frame = axes.get_window_extent(renderer)
    for point, name, colour in zip(points, names, colours, strict=True):
        best: tuple[float, Annotation, Bbox] | None = None
        for x, y, align in _OFFSETS:
            note = axes.annotate(
                name,
                point,
                xytext=(x, y),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=9,
                color=colour,
                annotation_clip=False,
            )
            box = note.get_window_extent(renderer).padded(1.5 * scale)
            overlap = sum(_common(box, other) for other in taken)
            outside = box.width * box.height - _common(box, frame.padded(4 * scale))
            cost = overlap + 3 * outside
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, note, box)
            else:
                note.remove()
            if best[0] <= 0.5:
                break
        assert best is not None
        taken.append(best[2])
        if np.hypot(*best[1].xyann) > 20:
            axes.annotate(
                "",
                point,
                xytext=best[1].xyann,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.7},
            )


def _common(one: Bbox, other: Bbox) -> float:
    """Area of the intersection."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(width * height) if width > 0 and height > 0 else 0.0
