"""Figures of a group's report: courses between participants, means by block, and each participant's success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from scipy.stats import t as student_t

from calibration.finished.report.blocks import BlockRun
from calibration.finished.report.data import SessionData
from calibration.finished.report.figures import SHAPES
from calibration.finished.report.members import GroupReport, Member, by_participant, mean_interval
from calibration.finished.report.strip import LETTER_PX, PLOT_PX, TINTS
from calibration.pages import Picture, count_of
from calibration.report.figures import CHANCE, INK, OBSERVED, PREDICTED, ROW, format_axis, handle, picture, short
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.words import minutes

#: From the scale on which values are averaged to that on which they are drawn.
Back = Callable[[FloatArray], FloatArray]
#: Of a session the course (steps,) of something, with the times of its steps.
Values = Callable[[SessionData], tuple[FloatArray, FloatArray]]

#: Colours and lines of arms, told apart without colour too, after Okabe and Ito (2008); not those of synchrony.
LOOKS: Final = (("#1c2126", "-"), ("#009e73", "--"), ("#cc79a7", ":"), ("#b08a00", "-."))
#: Between blocks in the picture of the courses, s.
_APART_S: Final = 8.0


def look_of(arms: Sequence[str], arm: str) -> tuple[str, str]:
    """Return the colour and line of an arm; of all participants together where there are no arms."""
    return LOOKS[arms.index(arm) % len(LOOKS)] if arm in arms else (INK, "-")


def values_of(data: SessionData) -> tuple[FloatArray, FloatArray]:
    """Return times and the rule's values inside blocks, as they are averaged."""
    m = data.protocol_steps
    if m is None:
        return np.empty(0), np.empty(0)
    is_r = data.rule.get("value", "observed") not in ("difference", "valence", "arousal") and data.rating is None
    values = np.where(m.running, m.value, np.nan)
    return m.time, fisher_z(values) if is_r else values


def mean_of(name: str) -> Values:
    """Return what gives predicted or observed synchrony (mean over rows, Fisher z) where it is trusted."""

    def values(data: SessionData) -> tuple[FloatArray, FloatArray]:
        c = data.course
        if c is None:
            return np.empty(0), np.empty(0)
        return c.time, fisher_z(np.where(c.mean_trusted, c.mean[name], np.nan))

    return values


def longest_blocks(members: Sequence[Member]) -> list[BlockRun]:
    """Return of each block the longest run of any session, in order of their numbers."""
    found: dict[int, BlockRun] = {}
    for member in members:
        for run in member.data.blocks:
            if run.number not in found or run.end - run.start > found[run.number].end - found[run.number].start:
                found[run.number] = run
    return [found[number] for number in sorted(found)]


def aligned(members: Sequence[Member], run: BlockRun, values: Values) -> FloatArray:
    """Return courses (participants, seconds) of one block, by second after its start; sessions of one averaged."""
    seconds = round(run.end - run.start)
    people: dict[str, list[FloatArray]] = {}
    for member in members:
        course = np.full(seconds, np.nan)
        for own in member.data.blocks:
            if own.number == run.number:
                times, found = values(member.data)
                at = np.rint(times - own.start).astype(np.intp)
                inside = (at >= 0) & (at < seconds) & (times < own.end - 1e-6)
                course[at[inside]] = found[inside]
        people.setdefault(member.participant, []).append(course)
    return np.stack([_mean(np.stack(time_courses)) for time_courses in people.values()])


def _mean(time_courses: FloatArray) -> FloatArray:
    return np.asarray(np.ma.masked_invalid(time_courses).mean(axis=0).filled(np.nan))


def between(time_courses: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, low and high (seconds,) between participants; the interval is Student's 95 %, from two on."""
    there, mean = np.ma.masked_invalid(time_courses), _mean(time_courses)
    n = there.count(axis=0)
    error = np.ma.filled(there.std(axis=0, ddof=1), np.nan) / np.sqrt(np.maximum(n, 1))
    reach = student_t.ppf(0.975, np.maximum(n - 1, 1)) * error
    return mean, mean - reach, mean + reach


def group_time_courses_figure(members: Sequence[Member], arms: Sequence[str], label: str, back: Back) -> Picture | None:
    """Return mean courses by block, aligned by block and second; None where there is nothing to draw."""
    runs = longest_blocks(members)
    if not runs:
        return None
    starts = np.cumsum([0.0, *(run.end - run.start + _APART_S for run in runs)])
    places = [(run, float(start)) for run, start in zip(runs, starts, strict=False)]
    groups = {arm: [m for m in members if m.arm == arm] for arm in arms} or {"": list(members)}

    def draw(figure: Any) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1.3, 1])
        for axes in (top, bottom):
            for run, start in zip(runs, starts, strict=False):
                tint = TINTS.get(run.kind, "#f1f1f1")
                axes.axvspan(start, start + run.end - run.start, color=tint, linewidth=0, zorder=0)
            axes.axhline(0, color=ROW, linewidth=0.6, zorder=1)
        for arm, some in groups.items():
            _draw_group(top, some, places, look_of(arms, arm), values=values_of, back=back)
        for name, colour in (("predicted", PREDICTED), ("observed", OBSERVED)):
            _draw_group(bottom, members, places, (colour, "-"), values=mean_of(name), back=np.tanh)
        top.set_ylabel("rule's value")
        bottom.set_ylabel("synchrony, r")
        for axes in (top, bottom):
            format_axis(axes.yaxis)
        _name_blocks(top, runs, starts)
        _times_in_blocks(bottom, runs, starts)
        figure.legend(handles=_key(members, groups, arms), loc="outside lower center", ncols=3)

    alt = f"Mean of {label} by block and second over {count_of(len({m.participant for m in members}), 'participant')}."
    return picture("group-courses", alt, 5.0, draw)


def _draw_group(
    axes: Any, members: Sequence[Member], places: Sequence[tuple[BlockRun, float]], look: tuple[str, str], *,
    values: Values, back: Back,
) -> None:  # fmt: skip
    colour, line = look
    for run, start in places:
        mean, low, high = (back(part) for part in between(aligned(members, run, values)))
        x = start + np.arange(len(mean))
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2)
        axes.plot(x, mean, color=colour, linestyle=line, linewidth=1.3, zorder=3)


def _name_blocks(axes: Any, runs: Sequence[BlockRun], starts: FloatArray) -> None:
    whole = float(starts[-1])
    for run, start in zip(runs, starts, strict=False):
        letters = int((run.end - run.start) / whole * PLOT_PX / LETTER_PX) - 1
        text = f"{run.number} {run.name}" if letters >= 4 else str(run.number)
        axes.text(
            start + (run.end - run.start) / 2, 1.02, short(text, max(letters, 2)), ha="center", va="bottom", fontsize=8,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _times_in_blocks(axes: Any, runs: Sequence[BlockRun], starts: FloatArray) -> None:
    """Print the time since each block's start."""
    whole = float(starts[-1])
    least = 48.0 / PLOT_PX * whole
    places: list[float] = []
    texts: list[str] = []
    for run, start in zip(runs, starts, strict=False):
        length = run.end - run.start
        every = next((s for s in (10, 30, 60, 120, 300, 600) if s >= least), 1200)
        for second in np.arange(0.0, max(length - 0.4 * least, 1.0), every):
            if not places or start + second - places[-1] >= 0.8 * least:
                places.append(float(start + second))
                texts.append(minutes(float(second)))
    axes.set_xticks(places, texts)
    axes.set_xlim(-2.0, whole - _APART_S + 2.0)
    axes.set_xlabel("time since the block began, min:s")


def _key(members: Sequence[Member], groups: dict[str, list[Member]], arms: Sequence[str]) -> list[Any]:
    found = []
    for arm, some in groups.items():
        colour, line = look_of(arms, arm)
        n = len({m.participant for m in some})
        label = f"rule's value, {arm} (n = {n})" if arm else f"rule's value (n = {n})"
        found.append(handle("line", label=label, color=colour, linestyle=line))
    found += [
        handle("line", label="predicted, mean over rows, all", color=PREDICTED),
        handle("line", label="observed, mean over rows, all", color=OBSERVED),
        handle("patch", label="95 % between participants", facecolor=CHANCE),
    ]
    return found


def blocks_figure(members: Sequence[Member], arms: Sequence[str]) -> Picture | None:
    """Return each participant's mean of the rule's value by block, and the means of arms; None where there is none."""
    people = by_participant(members)
    runs = [run for run in longest_blocks(members) if np.isfinite(_block_mean(members, run.number))]
    means = {person: np.array([_block_mean(mine, run.number) for run in runs]) for person, mine in people.items()}
    if not runs:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for person, mine in people.items():
            colour, line = look_of(arms, mine[0].arm)
            there = np.flatnonzero(np.isfinite(means[person]))
            axes.plot(there, means[person][there], color=colour, linestyle=line, linewidth=0.8, alpha=0.45, zorder=1)
        spread = np.linspace(-0.08, 0.08, max(len(arms), 1)) if len(arms) > 1 else [0.0]
        for place, arm in zip(spread, arms or [""], strict=False):
            colour, _ = look_of(arms, arm)
            mine_of = np.stack([means[p] for p, some in people.items() if some[0].arm == arm])
            for x, run in enumerate(runs):
                test = mean_interval(mine_of[np.isfinite(mine_of[:, x]), x])
                if test.low is not None:
                    axes.plot([x + place] * 2, [test.low, test.high], color=colour, linewidth=2, zorder=3)
                if test.value is not None:
                    shape = SHAPES.get(run.kind, "o")
                    axes.plot(x + place, test.value, marker=shape, markersize=7, color=colour, zorder=4)
        letters = max(4, int(PLOT_PX / len(runs) / LETTER_PX) - 2)
        axes.set_xticks(range(len(runs)), [short(f"{r.number} {r.name}", letters) for r in runs])
        axes.set_xlim(-0.5, len(runs) - 0.5)
        axes.set_xlabel("block")
        axes.set_ylabel("mean of the rule's value")
        format_axis(axes.yaxis)
        figure.legend(handles=_blocks_key(runs, arms), loc="outside lower center", ncols=5)

    return picture("group-blocks", "Means of the rule's value by block, of each participant and of arms.", 3.3, draw)


def _blocks_key(runs: Sequence[BlockRun], arms: Sequence[str]) -> list[Any]:
    key = [
        handle("line", label=arm or "a participant", color=look_of(arms, arm)[0], linestyle=look_of(arms, arm)[1])
        for arm in (arms or [""])
    ]
    kinds = dict.fromkeys(run.kind for run in runs)
    look = {"color": INK, "linestyle": "", "markersize": 6}
    return key + [handle("line", label=f"mean, {kind}", marker=SHAPES.get(kind, "o"), **look) for kind in kinds]


def _block_mean(members: Sequence[Member], number: int) -> float:
    found = [
        block.mean
        for member in members
        for block in member.regulation.blocks
        if block.number == number and block.mean is not None
    ]
    return float(np.mean(found)) if found else float("nan")


def success_figure(report: GroupReport) -> Picture | None:
    """Return each participant's feedback and transfer less baseline, by arm, with means; None where there is none."""
    measures = [
        name
        for name in ("feedback less baseline", "transfer less baseline")
        if any(person.measures[name] is not None for person in report.participants)
    ]
    arms = report.arms
    if not measures:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for plot, name in zip(axes, measures, strict=True):
            plot.axhline(0, color=ROW, linewidth=0.8, zorder=0)
            for x, arm in enumerate(arms or [""]):
                values = np.array(
                    [v for p in report.participants if p.arm == (arm or None) and (v := p.measures[name]) is not None]
                )
                colour, _ = look_of(arms, arm)
                side = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(len(values))
                plot.plot(x - 0.08 + side, values, "o", color=colour, alpha=0.5, markersize=4, zorder=2)
                test = mean_interval(values)
                if test.low is not None:
                    plot.plot([x + 0.2] * 2, [test.low, test.high], color=colour, linewidth=2, zorder=3)
                if test.value is not None:
                    plot.plot(x + 0.2, test.value, "D", color=colour, markersize=6, zorder=4)
            plot.set_xticks(range(len(arms or [""])), arms or ["all"])
            plot.set_xlim(-0.6, len(arms or [""]) - 0.4)
            plot.set_title(name)
            plot.set_xlabel("arm" if arms else "participants")
            format_axis(plot.yaxis)
        axes[0].set_ylabel(f"difference, {report.unit}")
        key = [
            handle("line", label="a participant", marker="o", linestyle="", color=INK, alpha=0.5, markersize=4),
            handle("line", label="mean with 95 % interval", marker="D", color=INK, markersize=6),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2)

    return picture("group-success", "Feedback and transfer less baseline of each participant.", 3.2, draw)
