"""Sentences of the report that claim no more than the numbers allow."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.outcome import Outcome
from calibration.pages import decimal, p_is, percent
from calibration.report.content import CeilingNumbers, ReportNumbers
from calibration.report.numbers import LEVEL, has_listeners
from calibration.report.set_content import SetNumbers
from calibration.sweep import AUTO
from rtaffect.observed.spaces import RegionSpace


def result_sentence(numbers: ReportNumbers) -> str:
    """Return the held-out result in one sentence that claims no more than its p value allows."""
    found, study = numbers.result, numbers.study
    target = "the ratings" if study.ratings else "the observed synchrony"
    if found.r is None:
        return f"There is no held-out result: no row of {target} could be judged."
    facts = f"{p_is(found.p)}; 95 % of displaced courses stay below r = {decimal(found.chance)}"
    facts += "" if found.exact else ", by the bound of section 3"
    about = f"held-out predictions and {target} (mean over {study.mean_of}) is r = {decimal(found.r)}"
    if found.p is None or found.p >= LEVEL:
        return f"The correlation of {about}, which is not distinguishable from chance ({facts})."
    return f"The correlation of {about}, above chance ({facts})."


def measures_of_result(numbers: ReportNumbers) -> list[str]:
    """Return what the result is to be measured by: the ceiling, and the choice of the layer."""
    found, study, auto = numbers.result, numbers.study, numbers.auto
    lines = [_ceiling_sentence(found.ceiling)]
    if auto is None:
        return lines
    fair = "the layer chosen anew in each outer fold, so that what is held out has no part in the choice"
    own = next((s for s in numbers.sets if s.name == study.layer), auto)
    if found.name == AUTO:
        lines.append(
            f"This is with {fair}. {study.layer}, which the bundle has and of which the rows and courses below are, "
            f"reaches r = {decimal(own.r)} ({p_is(own.p)})."
        )
    else:
        lines.append(f"With {fair}, r would be {decimal(auto.r)} ({p_is(auto.p)}).")
    return lines


def _ceiling_sentence(ceiling: CeilingNumbers) -> str:
    """Return what the noise ceiling is, or that none can be told."""
    if ceiling.low is None:
        return "There is no noise ceiling: there are no halves of a group to be compared."
    if not ceiling.told:
        why = "the sounds are too short to tell it from chance"
        if ceiling.p is not None:
            why = f"courses of two halves of the group have no more in common than by chance ({p_is(ceiling.p)})"
        return f"The noise ceiling is not distinguishable from none: {why}."
    return (
        f"A perfect prediction would correlate at between {decimal(ceiling.low)} and {decimal(ceiling.high)} (noise "
        f"ceiling, from halves of the group; 95 % interval {decimal(ceiling.least)} to {decimal(ceiling.most)}; "
        f"{p_is(ceiling.p)})."
    )


def about_chance(sets: Sequence[SetNumbers], window: int) -> list[str]:
    """Return how seconds depend on each other, and how chance was told, in words."""
    exact, rest = [s.name for s in sets if s.exact], [s.name for s in sets if not s.exact]
    bound = (
        "predictions stay as they are; because they were fitted to the other sounds, the draws' spread is widened by "
        "\N{SQUARE ROOT}2 in Fisher z, so that p is rather too large than too small"
    )
    if exact:
        whole = (
            "In every draw the whole nested cross-validation is repeated, for the mean over rows and the rows that it "
            f"is over. For other rows{f', for {_in_words(rest)}' if rest else ''} and for phases {bound}."
        )
    else:
        whole = f"In every draw {bound}."
    return [
        f"Windows of {window} s overlap, so that neighbouring seconds are nearly copies of each other: they are never "
        "counted as independent. For chance, the whole observed course of each sound is turned round by a random "
        "number of seconds, the same in all rows, which keeps each course's own memory and breaks the time lock; p is "
        f"the share of draws, the true course among them, that reach the true r. {whole} A second kind of chance keeps "
        "each course's spectrum and draws its phases anew (column chance, phases).",
        "Time in a sound is a nuisance: a straight line and slow cosines (settings, [drift]) are taken out of what was "
        "observed before weights are fitted to it, and of both sides and every draw before r is computed. What "
        "wanes in every sound is so not predicted by whatever feature rises or falls with it.",
        "lld: acoustic descriptors; layer-0 and on: the model's hidden layers; final: the last. "
        + ("auto: the layer chosen anew in each outer fold, by the inner folds. " if AUTO in rest else "")
        + "Each set's p stands for itself; it is not corrected for the number of feature sets.",
    ]


def _in_words(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def worth_of_rows(outcome: Outcome) -> str:
    """Return what many rows of one montage are worth."""
    space = outcome.bundle.space
    n = len(space.channels)
    if isinstance(space, RegionSpace):
        own = float(sorted(space.operator.specificity)[len(space.operator.specificity) // 2])
        return (
            f"{len(space.operator.manifest.regions)} regions from {n} channels are not as many independent "
            f"measurements: of a region's estimated power {percent(own)} is its own (median). The mean over rows is "
            f"over {space.mean_of}."
        )
    if space.kind == "components":
        return "Correlated components are filters under which the group's responses are most alike."
    if not has_listeners(outcome):
        return f"Rows are what was rated: {', '.join(space.rows)}."
    return f"Neighbouring channels see the same sources: {n} channels are not {n} independent measurements."


def families(outcome: Outcome) -> str:
    """Return how the p values of rows are made, and among which they are family-wise."""
    how = "every draw fitted anew" if outcome.sweep.of(outcome.chosen).exact else "by the bound"
    if outcome.bundle.space.layout.counted.all():
        return f"p: {how}, family-wise among all rows."
    return (
        f"p of the rows that the mean is over: {how}, family-wise among these; of the others: by the bound, among all "
        "rows."
    )
