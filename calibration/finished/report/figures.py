"""Figures of a session's report: courses by block, means by block, good time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from calibration.finished.report.data import SessionData
from calibration.finished.report.numbers import ListedEvent
from calibration.finished.report.regulation import BlockValues, own_level
from calibration.finished.report.so_far import SynchronyReport
from calibration.finished.report.strip import LETTER_PX, PLOT_PX, draw_strip, shade, time_axis
from calibration.pages import Picture, count_of, decimal
from calibration.report.figures import CHANCE, INK, OBSERVED, PREDICTED, ROW, format_axis, handle, picture, short
from rtaffect.common.words import minutes

#: Shapes of the means by kind of block.
SHAPES: Final = {"baseline": "o", "rest": "D", "listen": "v", "feedback": "s", "transfer": "^"}
#: One picture of the courses shows at most so much, s.
PAGE_S: Final = 600.0


def time_course_pages(data: SessionData) -> list[tuple[float, float]]:
    """Return from when to when, s, each picture of the courses goes: alike, and no longer than ``PAGE_S``."""
    end = max([float(data.course.time[-1]) if data.course is not None else 0.0, *(run.end for run in data.blocks)])
    count = max(1, int(np.ceil(end / PAGE_S)))
    edges = np.linspace(0.0, max(end, 1.0), count + 1)
    return [(float(a), float(b)) for a, b in pairwise(edges)]


def time_course_figures(data: SessionData, events: Sequence[ListedEvent], disclosed: bool) -> list[Picture]:
    """Return the courses: predicted, observed, the rule's value and, if it may be told, the level that was shown."""
    pages = time_course_pages(data)
    return [_time_course_figure(data, events, disclosed, page, number) for number, page in enumerate(pages, start=1)]


def _time_course_figure(
    data: SessionData, events: Sequence[ListedEvent], disclosed: bool, page: tuple[float, float], number: int
) -> Picture:
    has_level = disclosed and data.protocol_steps is not None and bool(np.isfinite(data.protocol_steps.level).any())
    has_value = data.protocol_steps is not None and bool(np.isfinite(data.protocol_steps.value).any())
    rows = drawn_rows(data)
    courses = [f"course-{row}" for row in rows]
    panels = ["strip", *courses, *(["value"] if has_value else []), *(["level"] if has_level else [])]
    heights = {"strip": 0.85, **dict.fromkeys(courses, 2.3 if len(rows) == 1 else 1.7), "value": 1.4, "level": 0.9}
    limits = _limits(data)

    def draw(figure: Any) -> None:
        all_axes = figure.subplots(
            len(panels), 1, sharex=True, height_ratios=[heights[panel] for panel in panels], squeeze=False
        )[:, 0]
        axes = dict(zip(panels, all_axes, strict=True))
        draw_strip(axes["strip"], data, events, page)
        for name in panels[1:]:
            shade(axes[name], data.blocks, page)
        for row in rows:
            _curves(axes[f"course-{row}"], data, row, limits[0])
        if has_value:
            _value(axes["value"], data, limits[1])
        if has_level:
            _level(axes["level"], data)
        all_axes[-1].set_xlim(*page)
        time_axis(all_axes[-1], page[1] - page[0])
        figure.legend(handles=_key(data, has_value, has_level), loc="outside lower center", ncols=4)

    alt = f"Courses from {minutes(page[0])} to {minutes(page[1])} of the session."
    height = 1.1 + sum(heights[panel] for panel in panels) * 1.12
    return picture(f"course-{number}", alt, height, draw)


def drawn_rows(data: SessionData) -> list[int]:
    """Return which rows are drawn, by number: -1, the mean over rows; of ratings, which have none, the first four."""
    rated = data.rating is not None and data.course is not None
    return list(range(min(len(data.course.rows), 4))) if rated and data.course is not None else [-1]


def _limits(data: SessionData) -> list[tuple[float, float]]:
    """Return the ranges of courses and of the rule's value, the same in all pictures."""
    found = []
    mean = data.course.mean if data.course is not None else {}
    values = [
        mean[name] for name in ("predicted_low", "predicted_high", "observed", "null_low", "null_high") if name in mean
    ]
    protocol_steps = (
        []
        if data.protocol_steps is None
        else [data.protocol_steps.value, data.protocol_steps.low, data.protocol_steps.high]
    )
    for sides in (values, protocol_steps):
        all_values = np.concatenate(sides) if sides else np.empty(0)
        there = all_values[np.isfinite(all_values)]
        low, high = (float(there.min()), float(there.max())) if len(there) else (-0.1, 0.1)
        room = max(0.05 * (high - low), 0.01)
        found.append((low - room, high + room))
    return found


def _curves(axes: Any, data: SessionData, row: int, limits: tuple[float, float]) -> None:
    if data.course is not None and data.rating is not None and row >= 0:
        scale = data.rating.of(data.course.rows[row])
        axes.axhline(scale.middle, color=ROW, linewidth=0.6, zorder=1)
        room = 0.04 * (scale.high - scale.low)
        limits = scale.low - room, scale.high + room
        c, (low, high) = data.course, data.course.interval
        axes.fill_between(c.time, low[:, row], high[:, row], color=PREDICTED, alpha=0.16, linewidth=0, zorder=2)
        axes.plot(c.time, c.predicted[:, row], color=PREDICTED, linewidth=1.3, zorder=3)
        axes.plot(c.time, c.observed[:, row], color=OBSERVED, linewidth=1.3, zorder=4)
        axes.set_ylabel(short(c.rows[row], 16))
    elif data.course is not None:
        axes.axhline(0, color=ROW, linewidth=0.6, zorder=1)
        c, m = data.course, data.course.mean
        axes.fill_between(c.time, m["null_low"], m["null_high"], color=CHANCE, linewidth=0, zorder=1.5, alpha=0.9)
        axes.fill_between(
            c.time, m["predicted_low"], m["predicted_high"], color=PREDICTED, alpha=0.16, linewidth=0, zorder=2
        )
        axes.plot(c.time, m["predicted"], color=PREDICTED, linewidth=1.3, zorder=3)
        axes.plot(c.time, np.where(c.mean_trusted, m["observed"], np.nan), color=OBSERVED, linewidth=1.3, zorder=4)
        untrusted = np.where(c.mean_trusted, np.nan, m["observed"])
        axes.plot(c.time, untrusted, color=OBSERVED, linewidth=0, marker=".", markersize=2.5, alpha=0.6, zorder=3.5)
        axes.set_ylabel("synchrony, r")
    axes.set_ylim(*limits)
    format_axis(axes.yaxis)


def _value(axes: Any, data: SessionData, limits: tuple[float, float]) -> None:
    m = data.protocol_steps
    if m is None:
        return
    judged = np.isin(np.array(m.kind), ("feedback", "transfer")) & m.running
    inside = np.where(judged, 1.0, np.nan)
    axes.fill_between(m.time, m.low * inside, m.high * inside, color="#b9c2cb", alpha=0.45, linewidth=0, zorder=1)
    axes.plot(m.time, m.threshold * inside, color=INK, linewidth=0.9, linestyle="--", zorder=2)
    axes.plot(m.time, m.value, color=value_colour(data), linewidth=1.3, zorder=3)
    axes.set_ylim(*limits)
    axes.set_ylabel("rule's value")
    format_axis(axes.yaxis)


def value_colour(data: SessionData) -> str:
    """Return the colour of the rule's value: that of what it is made of."""
    return {"observed": OBSERVED, "predicted": PREDICTED}.get(str(data.rule.get("value", "observed")), INK)


def _level(axes: Any, data: SessionData) -> None:
    m = data.protocol_steps
    if m is None:
        return
    axes.plot(m.time, m.level, color=INK, linewidth=1.3, zorder=3)
    if data.has_arm:
        axes.plot(m.time, own_level(data), color=OBSERVED, linewidth=1.0, linestyle=":", zorder=2)
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([0, 1])
    axes.set_ylabel("level")


def _key(data: SessionData, has_value: bool, has_level: bool) -> list[Any]:
    found = []
    if data.course is not None and data.rating is not None:
        found += [
            handle("line", label="predicted rating", color=PREDICTED),
            handle("patch", label="its interval", facecolor=PREDICTED, alpha=0.16),
            handle("line", label="the participant's own", color=OBSERVED),
        ]
    elif data.course is not None:
        over = data.course.mean_of
        found += [
            handle("line", label=f"predicted (mean of {over})", color=PREDICTED),
            handle("patch", label="its interval", facecolor=PREDICTED, alpha=0.16),
            handle("line", label=f"observed (mean of {over})", color=OBSERVED),
            handle("patch", label="null band of observed", facecolor=CHANCE),
        ]
        if (~data.course.mean_trusted & np.isfinite(data.course.mean["observed"])).any():
            dot = {"marker": ".", "markersize": 4, "linestyle": "", "alpha": 0.6}
            found.append(handle("line", label="observed, not to be trusted", color=OBSERVED, **dot))
    if has_value:
        found.append(handle("line", label="the rule's value", color=value_colour(data)))
        found.append(handle("patch", label="scale: level 0 to 1", facecolor="#b9c2cb", alpha=0.45))
        found.append(handle("line", label="threshold of success", color=INK, linestyle="--", linewidth=0.9))
    if has_level:
        found.append(handle("line", label="level that was shown", color=INK))
        if data.has_arm:
            found.append(handle("line", label="level of the own value", color=OBSERVED, linestyle=":"))
    return found


def means_figure(blocks: Sequence[BlockValues], label: str) -> Picture | None:
    """Return the rule's mean in each block with its interval; None where no block has one."""
    some = [block for block in blocks if block.mean is not None]
    if not some:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        baseline = [block.mean for block in some if block.kind == "baseline"]
        if len(baseline) == 1:
            axes.axhline(baseline[0], color=ROW, linewidth=0.9, linestyle="--", zorder=1)
        for x, block in enumerate(some):
            if block.low is not None:
                axes.plot([x, x], [block.low, block.high], color=OBSERVED, linewidth=1.6, zorder=2)
            shape = SHAPES.get(block.kind, "o")
            face = OBSERVED if block.low is not None else "white"
            axes.plot(x, block.mean, marker=shape, markersize=7, color=OBSERVED, markerfacecolor=face, zorder=3)
        letters = max(4, int(PLOT_PX / len(some) / LETTER_PX) - 2)
        axes.set_xticks(range(len(some)), [short(f"{b.number} {b.name}", letters) for b in some])
        axes.set_xlim(-0.6, len(some) - 0.4)
        axes.set_xlabel("block")
        axes.set_ylabel("mean of the rule's value")
        format_axis(axes.yaxis)
        kinds = dict.fromkeys(block.kind for block in some)
        look = {"color": OBSERVED, "linestyle": "", "markersize": 7}
        key = [handle("line", label=kind, marker=SHAPES.get(kind, "o"), **look) for kind in kinds]
        if any(block.low is None for block in some):
            key.append(handle("line", label="open: no interval", marker="o", **look | {"markerfacecolor": "white"}))
        if len(baseline) == 1:
            key.append(handle("line", label="the baseline's mean", color=ROW, linestyle="--", linewidth=0.9))
        figure.legend(handles=key, loc="outside lower center", ncols=5)

    disclosed = ", ".join(f"{block.name} {decimal(block.mean)}" for block in some)
    return picture("means", f"{label.capitalize()} by block: {disclosed}.", 2.9, draw)


def so_far_figure(found: SynchronyReport | None) -> Picture | None:
    """Return the mean excess over the null so far, with where chance stays; None where there is none."""
    if found is None or found.mean is None:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.fill_between(found.time, found.lows, found.highs, color=CHANCE, linewidth=0, zorder=1)
        axes.axhline(0.0, color=ROW, linewidth=0.8, zorder=2)
        axes.plot(found.time, found.means, color=OBSERVED, linewidth=1.8, zorder=3)
        there = np.isfinite(found.means)
        late = found.highs[there][-max(1, int(there.sum()) // 2) :]
        reach = 1.15 * max(0.05, float(np.abs(found.means[there]).max()), float(late.max()))
        axes.set_ylim(-reach, reach)
        time_axis(axes, float(found.time[-1]))
        axes.set_ylabel("beyond the null (r)")
        format_axis(axes.yaxis)
        key = [
            handle("line", label="mean so far", color=OBSERVED, linewidth=1.8),
            handle("patch", label="where chance stays", color=CHANCE),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2)

    return picture("so-far", f"Synchrony beyond its null, over the session so far: {found.words}.", 2.6, draw)


def good_figure(data: SessionData) -> Picture | None:
    """Return the good share of each channel's window over time; None where that was not recorded."""
    if data.quality is None or data.course is None:
        return None
    good = data.quality.good
    P, C, S = good.shape
    rows = good.reshape(P * C, S)
    names = [
        f"{person} {channel}" if P > 1 else channel
        for person in data.quality.people
        for channel in data.quality.channels
    ]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        image = axes.imshow(
            rows, aspect="auto", cmap="Blues_r", vmin=0, vmax=1, interpolation="nearest",
            extent=(0.5, S + 0.5, len(rows) - 0.5, -0.5),
        )  # fmt: skip
        every = max(1, -(-len(names) // 40))
        axes.set_yticks(range(0, len(names), every), [short(name, 22) for name in names[::every]], fontsize=7.5)
        time_axis(axes, S)
        axes.set_facecolor("#c9ced4")
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=18)
        bar.set_label("good share")
        bar.outline.set_visible(False)
        format_axis(bar.ax.yaxis)

    height = float(np.clip(1.0 + 0.13 * min(len(rows), 40), 1.8, 6.2))
    return picture("good", f"Good share of the window of {count_of(len(rows), 'channel')} over time.", height, draw)
