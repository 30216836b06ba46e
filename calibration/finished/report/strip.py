"""The strip above a session's courses: blocks, sounds and markers in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from calibration.finished.report.blocks import BlockRun
from calibration.finished.report.data import SessionData
from calibration.finished.report.numbers import ListedEvent
from calibration.report.figures import INK, MUTED, short
from rtaffect.common.words import minutes

#: Tints behind blocks, light enough for curves; each block also bears its name.
TINTS: Final = {
    "baseline": "#e3ebf3",
    "rest": "#f1f1f1",
    "listen": "#e6f2ea",
    "feedback": "#fdf0d5",
    "transfer": "#efe4f3",
}
#: A figure's plot is about this wide, css px, and a letter in it this, at 8 points.
PLOT_PX, LETTER_PX = 770.0, 6.2


def time_axis(axes: Any, span: float) -> None:
    """Print session time below axes that show ``span`` seconds: at most a dozen round times."""
    every = next((step for step in (5, 10, 30, 60, 120, 300, 600, 1800) if span / step <= 12), 3600)
    axes.xaxis.set_major_locator(_multiples(every))
    axes.xaxis.set_major_formatter(lambda x, _: minutes(x))
    axes.set_xlabel("session time, min:s")


def _multiples(of: float) -> Any:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(of)


def shade(axes: Any, blocks: Sequence[BlockRun], page: tuple[float, float]) -> None:
    """Tint the blocks of a picture from ``page[0]`` to ``page[1]``, s."""
    for run in blocks:
        for start, end in run.stretches:
            if end > page[0] and start < page[1]:
                axes.axvspan(start, end, color=TINTS.get(run.kind, "#f1f1f1"), linewidth=0, zorder=0)


def draw_strip(axes: Any, data: SessionData, events: Sequence[ListedEvent], page: tuple[float, float]) -> None:
    """Draw which block ran when, what was heard, and where markers are."""
    axes.set_ylim(0, 3)
    axes.set_yticks([2.5, 1.5, 0.5], ["block", "sound", "marker"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for run in (*data.blocks, *data.apart):
        tint = TINTS.get(run.kind, "#f1f1f1") if not run.apart else "white"
        for span in run.stretches:
            _box(axes, span, 2, f"{run.number} {run.name} ({run.apart or run.kind})", page, tint=tint)
        for name, onset, ends in run.stimuli:
            _box(axes, (onset, ends), 1, name, page, tint="white")
    _marks(axes, events, page)


def _box(axes: Any, span: tuple[float, float], row: int, text: str, page: tuple[float, float], *, tint: str) -> None:
    start, end = max(span[0], page[0]), min(span[1], page[1])
    if end <= start:
        return
    axes.fill_between([start, end], row + 0.06, row + 0.94, facecolor=tint, edgecolor="#7b8794", linewidth=0.6)
    letters = int((end - start) / (page[1] - page[0]) * PLOT_PX / LETTER_PX)
    words = text if len(text) <= letters else text.rsplit(" (", 1)[0]
    if len(words) > letters:
        words = short(words, letters) if letters >= 4 else text.split(" ", maxsplit=1)[0]
    if len(words) <= max(letters, 1):
        axes.text((start + end) / 2, row + 0.48, words, ha="center", va="center", fontsize=8, clip_on=True)


def _marks(axes: Any, events: Sequence[ListedEvent], page: tuple[float, float]) -> None:
    """Draw markers with the numbers of the list; those too near to each other as a range of numbers."""
    near = 26.0 / PLOT_PX * (page[1] - page[0])
    groups: list[list[tuple[float, int]]] = []
    for event in events:
        if event.onset is None or not page[0] <= event.onset <= page[1]:
            continue
        if groups and event.onset - groups[-1][0][0] < near:
            groups[-1].append((event.onset, event.number))
        else:
            groups.append([(event.onset, event.number)])
    for group in groups:
        onsets = [onset for onset, _ in group]
        axes.plot(onsets, [0.78] * len(group), marker="v", markersize=4, color=INK, linestyle="")
        first, last = group[0][1], group[-1][1]
        text = f"{first}" if first == last else f"{first}\N{EN DASH}{last}"
        axes.text(onsets[0], 0.3, text, ha="center", va="center", fontsize=7.5, color=MUTED)
