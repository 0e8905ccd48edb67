"""What every plot is drawn with: SVG in ``data:`` addresses, sharp on every screen, with nothing to fetch.

The colours are Okabe and Ito's: people with any colour vision can tell them apart. Shape or position always repeats
what a colour says.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#6b7280"
WIDTH = 4.6
_ROUND = tuple(base * 10**power for power in range(7) for base in (1, 3))


def round_ticks(low: float, high: float) -> list[float]:
    """At most five round values between ``low`` and ``high``, evenly spaced on a log1p axis."""
    inside = [float(value) for value in (0, *_ROUND) if low <= value <= high]
    if len(inside) < 2:
        return [round(low, 2), round(high, 2)]
    return inside[:: -(-len(inside) // 5)]


def plot(draw: Callable[[Axes], None], height: float, width: float = WIDTH) -> str:
    """One pair of axes as a ``data:`` address; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    without_box(axes)
    return data_address(figure)


def without_box(axes: Axes) -> None:
    """Removes the box around the axes."""
    axes.spines[["top", "right"]].set_visible(False)


def data_address(figure: Any) -> str:
    """The figure as a ``data:`` address; text stays text, and the bytes do not depend on the day."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue().encode()).decode()
