"""Figures of the report of affect."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.affect.affect_model import SOURCES
from calibration.affect.held_out import SCHEMES
from calibration.affect.numbers import BOTH_NEW, is_clear, rivals
from calibration.affect.outcome import AffectOutcome
from calibration.affect.scores import MEASURES, NOTHING
from calibration.affect.validation import Row
from calibration.model import basis_of
from calibration.pages import Picture, decimal
from calibration.report.figures import (
    CHANCE,
    CONTROL,
    INK,
    OBSERVED,
    PREDICTED,
    ROW,
    format_axis,
    handle,
    marker,
    picture,
    short,
)
from rtaffect.affect.settings import DIMENSIONS

Array = NDArray[np.float64]

#: Colours of EEG, sound and both.
COLOURS: Final = {"eeg": PREDICTED, "sound": OBSERVED, "both": "#6a3d9a"}
_NAMES: Final = {"eeg": "EEG", "sound": "sound", "both": "both"}
#: Names that stand beside a figure at most.
_MOST: Final = 64


def scores_figure(outcome: AffectOutcome) -> Picture:
    """Return balanced accuracy and r of each scheme and source, with intervals, chance and baselines."""
    found = outcome.validation
    places = [3.6 * i + j for i in range(len(SCHEMES)) for j in range(len(SOURCES))]

    def draw(figure: Any) -> None:
        grid = figure.subplots(2, 2, sharex=True, squeeze=False)
        for axes, (m, d) in zip(grid.flat, np.ndindex(2, 2), strict=True):
            measure, dimension = MEASURES[m], DIMENSIONS[d]
            for x, (scheme, source) in zip(places, ((s, o) for s in SCHEMES for o in SOURCES), strict=True):
                row = found.row(scheme, source, dimension, measure)
                _one(axes, x, row)
            for baseline in rivals(found, dimension, measure):
                if baseline.name != "majority" and math.isfinite(baseline.found.value):
                    axes.axhline(baseline.found.value, color=CONTROL, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
            axes.axhline(NOTHING[m], color=ROW, linewidth=0.6, zorder=0)
            axes.set_xticks([3.6 * i + 1 for i in range(len(SCHEMES))], SCHEMES)
            axes.tick_params(axis="x", length=0)
            format_axis(axes.yaxis)
            if m == 0:
                axes.set_title(dimension, fontweight="bold")
            if d == 0:
                axes.set_ylabel(measure)
        figure.legend(handles=_key(found.plan.draws > 0), loc="outside lower center", ncols=3)

    said = ", ".join(
        f"{r.dimension} from {r.source} {decimal(r.found.value)}"
        for r in found.rows
        if (r.scheme, r.measure) == (BOTH_NEW, "r") and math.isfinite(r.found.value)
    )
    return picture("scores", f"Held-out scores; r of new people hearing new sounds: {said}.", 5.4, draw)


def _one(axes: Any, x: float, row: Row) -> None:
    found, chance, colour = row.found, row.chance, COLOURS[row.source]
    if math.isfinite(chance.high):
        reach = chance.high - chance.mean
        axes.bar(x, 2 * reach, bottom=chance.mean - reach, width=0.8, color=CHANCE, linewidth=0, zorder=0.5)
    if math.isfinite(found.low):
        axes.plot([x, x], [found.low, found.high], color=colour, linewidth=1.6, zorder=2)
    if math.isfinite(found.value):
        axes.plot(x, found.value, zorder=3, **marker(is_clear(row), colour))


def _key(draws: bool) -> list[Any]:
    dot = {"linestyle": "", "marker": "o", "markersize": 6}
    found = [handle("line", label=f"from {_NAMES[s]}, 95 % interval", color=COLOURS[s], **dot) for s in SOURCES]
    found.append(handle("line", label="mean of other people's ratings", color=CONTROL, linestyle=(0, (4, 2))))
    if draws:
        found.append(handle("patch", label="chance: 90 % of exchanged ratings", facecolor=CHANCE))
        found.append(
            handle("line", label="open: p \N{GREATER-THAN OR EQUAL TO} .05", markerfacecolor="white", color=ROW, **dot)
        )
    else:
        found.append(handle("line", label="open: chance was not drawn", markerfacecolor="white", color=ROW, **dot))
    return found


def people_figure(outcome: AffectOutcome) -> Picture:
    """Return each person's r from EEG and from sound, by models that knew neither person nor sounds."""
    found = outcome.validation
    last, r = SCHEMES.index(BOTH_NEW), MEASURES.index("r")
    people = np.unique(found.hearings.person)

    scores = found.person_scores[last, :, :, r][:, :, people]
    # One order for both halves, whose names stand on the left.
    order = np.argsort(np.nan_to_num(scores[SOURCES.index("eeg"), 0], nan=-2))

    def draw(figure: Any) -> None:
        both = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
        for d, axes in enumerate(both):
            for shown, source in enumerate(("sound", "eeg")):
                values = scores[SOURCES.index(source), d][order]
                axes.plot(values, np.arange(len(people)) + 0.16 * shown, "o", markersize=5, color=COLOURS[source])
            axes.axvline(0, color=ROW, linewidth=0.6, zorder=0)
            axes.set_xlabel(f"r of {DIMENSIONS[d]}, both new")
            format_axis(axes.xaxis)
        names = [short(outcome.study.people[p], 16) for p in people[order]]
        both[0].set_yticks(np.arange(len(people)), names if len(people) <= _MOST else ["" for _ in names])
        both[0].set_ylim(-0.6, len(people) - 0.2)
        dot = {"linestyle": "", "marker": "o", "markersize": 5}
        key = [handle("line", label=f"from {_NAMES[s]}", color=COLOURS[s], **dot) for s in ("eeg", "sound")]
        figure.legend(handles=key, loc="outside lower center", ncols=2)

    alt = "Each person's r from EEG and from sound, of valence and of arousal; people in the order of the first."
    return picture("people", alt, 1.3 + 0.22 * min(len(people), _MOST), draw)


def space_figure(outcome: AffectOutcome) -> Picture:
    """Return the shared space in its first two principal components: hearings by EEG, sounds by what people rated."""
    study, hearings = outcome.study, outcome.validation.hearings
    eeg = hearings.mean(outcome.told.shared[:, 0])
    sound = hearings.mean(outcome.told.shared[:, 1])
    stimuli = np.unique(hearings.stimulus)
    of_sound = np.stack([sound[hearings.stimulus == s].mean(axis=0) for s in stimuli])
    rated = np.stack([np.nan_to_num(hearings.ratings[hearings.stimulus == s]).mean(axis=0) for s in stimuli])
    there = np.isfinite(eeg).all(axis=1)
    mean, axes_of, _, _ = basis_of(np.concatenate([eeg[there], of_sound]), 2)
    flat_eeg, flat_sound = ((points - mean) @ axes_of.T for points in (eeg[there], of_sound))
    spread = np.concatenate([eeg[there], of_sound]) - mean
    share = np.square(spread @ axes_of.T).sum() / max(np.square(spread).sum(), 1e-300)

    def draw(figure: Any) -> None:
        both = figure.subplots(1, 2, sharex=True, sharey=True, squeeze=False)[0]
        for d, axes in enumerate(both):
            look = {"cmap": "PuOr_r", "vmin": -1, "vmax": 1}
            image = axes.scatter(
                *flat_eeg.T, c=hearings.ratings[there, d], s=14, linewidths=0, alpha=0.8, plotnonfinite=False, **look
            )
            axes.scatter(*flat_sound.T, c=rated[:, d], s=70, marker="s", edgecolors=INK, linewidths=0.9, **look)
            axes.set_title(DIMENSIONS[d], fontweight="bold")
            axes.set_xlabel("first principal component")
            axes.set_xticks([])
            axes.set_yticks([])
        both[0].set_ylabel("second")
        bar = figure.colorbar(image, ax=list(both), shrink=0.9)
        bar.set_label("rating, \N{MINUS SIGN}1 to 1 of the scale")
        bar.outline.set_visible(False)
        format_axis(bar.ax.yaxis)
        key = [
            handle("line", label="a hearing, by its EEG", linestyle="", marker="o", markersize=4, color=ROW),
            handle("line", label="a sound", linestyle="", marker="s", markersize=8, markerfacecolor="white", color=INK),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2)

    alt = (
        f"The shared space of {there.sum()} hearings and {len(stimuli)} sounds in two principal components, which have "
        f"{100 * share:.0f} % of its variance; {study.name}."
    )
    return picture("space", alt, 4.2, draw)


def attention_figure(outcome: AffectOutcome) -> Picture:
    """Return the mean attention over seconds and over channels; at an even one the lines lie."""
    attention, mask = outcome.told.attention, outcome.study.mask
    # Where fewer channels count, each has more: what is shown is against an even share of what counts.
    counted = mask.sum(axis=(1, 2))[:, None, None]
    relative = np.where(mask, attention * counted, np.nan)
    with np.errstate(invalid="ignore"):
        of_second, of_channel = (_mean_of(relative, axes) for axes in ((0, 2), (0, 1)))
    order = np.argsort(-np.nan_to_num(of_channel))
    names = outcome.study.channels

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1, 3])
        seconds = np.arange(1 - len(of_second), 1)
        left.bar(seconds, of_second, color=PREDICTED, width=0.7)
        left.set_xticks(seconds, [f"{s}".replace("-", "\N{MINUS SIGN}") for s in seconds])
        left.set_xlabel("second, 0 the newest")
        left.set_ylabel("attention, 1 is an even share")
        shown = order[:_MOST]
        right.bar(np.arange(len(shown)), of_channel[shown], color=PREDICTED, width=0.7)
        right.set_xticks(
            np.arange(len(shown)), [short(names[c], 8) for c in shown], rotation=90 if len(shown) > 20 else 0
        )
        right.set_xlabel("channel")
        for axes in (left, right):
            axes.axhline(1, color=ROW, linewidth=0.8, zorder=3)
            format_axis(axes.yaxis)

    first = ", ".join(names[c] for c in order[:3])
    return picture("attention", f"Mean attention by second and by channel; most have {first}.", 2.8, draw)


def _mean_of(values: Array, axes: tuple[int, int]) -> Array:
    there = np.isfinite(values)
    count = there.sum(axis=axes)
    return np.asarray(np.where(there, values, 0.0).sum(axis=axes) / np.where(count > 0, count, np.nan))
