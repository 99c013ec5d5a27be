"""The plot of a run, for people: what each lane adds, and what it bears."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.cells import SHAPES, Cell, Lane, Shape, Work
from bench.summary import rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.results import Results
    from bench.summary import Row

FILE = "plot.svg"
# Okabe and Ito's palette: told apart by the colour-blind, too.
_COLOURS = {
    Lane.NOT_OPTED_IN: "#999999",
    Lane.NO_ANNOTATION: "#56b4e9",
    Lane.NO_OP: "#0072b2",
    Lane.CONSTANT: "#cc79a7",
    Lane.SYNCHRONOUS: "#d55e00",
    Lane.STOCK: "#009e73",
}
# Below this many ms the axis is linear, beyond logarithmic: it has room for 1 ms and for 300, and
# for what chance makes less than nothing.
_LINEAR_MS = 5.0
_TICKS_MS = (-100, -30, -10, -5, 0, 5, 10, 30, 100, 300, 1000)
_STEP = 0.15  # from one lane to the next within a shape


def svg(results: Results) -> bytes:
    """Draw it; the same results give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "kubemacpool", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 7.5), layout="constrained")
        FigureCanvasSVG(figure)
        ratios = [3, 1] if results.sustained else [1]
        axes = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
        _added(axes[0], rows(results.batches))
        if results.sustained:
            _sustained(axes[1], results)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
        commit = results.machine.get("commit", "unknown")
        figure.suptitle(f"commit {commit}, {results.turns} turns", fontsize=9, color="#666666")
        into = BytesIO()
        figure.savefig(into, format="svg", metadata={"Date": None})
    return into.getvalue()


def _added(axes: Axes, found: dict[Cell, Row]) -> None:
    shapes = [shape for shape in SHAPES if shape.work is not Work.EDIT]
    for lane in (one for one in Lane if one is not Lane.NOT_OPTED_IN):
        of_lane = [
            (place, found[Cell(shape, lane)].added_ms)
            for place, shape in enumerate(shapes)
            if lane in shape.lanes
        ]
        offset = ([*Lane].index(lane) - len(Lane) / 2) * _STEP
        middles = [added.median for _, added in of_lane]
        axes.errorbar(
            middles,
            [place + offset for place, _ in of_lane],
            xerr=[
                [added.median - added.low for _, added in of_lane],
                [added.high - added.median for _, added in of_lane],
            ],
            fmt="o",
            markersize=5,
            elinewidth=1.5,
            capsize=2.5,
            color=_COLOURS[lane],
            label=lane,
        )
    axes.set_xscale("symlog", linthresh=_LINEAR_MS, linscale=0.8)
    axes.set_xticks(_TICKS_MS)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:+g}" if ms else "0"))
    axes.set_yticks(range(len(shapes)), [_named(shape) for shape in shapes])
    axes.set_ylim(len(shapes) - 0.5, -0.5)  # the first on top
    for place in range(1, len(shapes)):
        axes.axhline(place - 0.5, color="#dddddd", linewidth=0.8)
    axes.axvline(0, color="#999999", linewidth=1)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_xlabel("ms added to the median, with its 95 % interval (logarithmic beyond 5)")
    axes.set_title("What a request waits for")


def _named(shape: Shape) -> str:
    clients = "1 client" if shape.clients == 1 else f"{shape.clients} clients"
    interfaces = "1 interface" if shape.interfaces == 1 else f"{shape.interfaces} interfaces"
    load = clients if shape.work is Work.PLUG else f"{clients}, {interfaces}"
    return f"{shape.work}\n{load}"


def _sustained(axes: Axes, results: Results) -> None:
    runs = sorted(results.sustained, key=lambda run: [*Lane].index(run.lane))
    bars = axes.bar(
        [run.lane for run in runs],
        [run.rate for run in runs],
        color=[_COLOURS[run.lane] for run in runs],
    )
    axes.bar_label(bars, fmt="%.0f")
    axes.tick_params(axis="x", rotation=40)
    axes.set_ylabel("pods per second")
    axes.set_title("Created and deleted")
    axes.spines[["top", "right"]].set_visible(False)
