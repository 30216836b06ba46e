"""Sentences about ratings that claim no more than the numbers allow; none speaks of EEG or its windows."""

from __future__ import annotations

import math

from calibration.outcome import Outcome
from calibration.pages import decimal, p_is, percent
from calibration.ratings.agreement import LEVEL as LEVEL_OF_CHANCE
from calibration.ratings.agreement import RaterAgreement
from calibration.ratings.outcome import RatedOutcome, named
from calibration.report.numbers import LEVEL, headline_of
from calibration.sweep import AUTO


def result_of(name: str, outcome: Outcome) -> str:
    """Return how well one rating is predicted, held out, in one sentence."""
    found = headline_of(outcome)
    r = float(found.score.r[-1])
    if not math.isfinite(r):
        return f"{name}: there is no held-out result, as no stimulus is long enough to be judged."
    how = ", the layer chosen anew in each fold" if found.name == AUTO else f", {found.name}"
    chance = decimal(float(found.chance[-1]))
    facts = f"{p_is(found.p_mean)}; {percent(LEVEL_OF_CHANCE)} of displaced courses stay below r = {chance}"
    verdict = "which is not distinguishable from chance"
    if found.p_mean < LEVEL:
        verdict = (
            "above chance" if r > 0 else "which predicts nothing: chance is lower still, by folds that push it down"
        )
    return (
        f"{name}: held-out predictions follow the rating within stimuli at r = {decimal(r)}{how}, {verdict} ({facts})."
    )


def agreement_of(name: str, found: RaterAgreement | None) -> str:
    """Return how far the raters of one rating agree, and what that means for predictions, in one sentence."""
    if found is None:
        return (
            f"{name}: how far raters agree is not known, as there are not two of them; what a perfect prediction "
            "would reach is not known either."
        )
    count = len(found.raters)
    interval = "" if math.isnan(found.low) else f" [{decimal(found.low)}, {decimal(found.high)}]"
    facts = (
        f"{percent(LEVEL_OF_CHANCE)} of courses turned round stay below {decimal(found.chance)}, {p_is(found.p)}; "
        f"without drifts r = {decimal(found.r_detrended)}, {p_is(found.p_detrended)}"
    )
    begins = f"{name}: each of {count} raters follows the mean of the others at r = {decimal(found.r)}{interval}"
    if found.p >= LEVEL or found.p_detrended >= LEVEL:
        drift = "" if found.p >= LEVEL else " once drifts are taken out"
        none = f"which is not distinguishable from none{drift}"
        return f"{begins}, {none} ({facts}): there is nothing sure to be predicted."
    ceiling = decimal(found.ceiling)
    known = "" if math.isnan(found.ceiling) else f" A perfect prediction of their mean would reach {ceiling}."
    return f"{begins} ({facts}).{known}"


def about_chance(gap: int) -> list[str]:
    """Return how seconds depend on each other, and how chance was told; ``gap`` is how far folds are apart, s."""
    return [
        "Neighbouring seconds of a rating are nearly copies of each other: they are never counted as independent. For "
        "chance, the whole rated course of each stimulus is turned round by a random number of seconds, which keeps "
        "its own memory and breaks its tie to the sound; in every draw the whole nested cross-validation is repeated, "
        "and p is the share of draws, the true course among them, that reach the true r. A second kind of chance keeps "
        f"each course's spectrum and draws its phases anew. Folds within one stimulus are {gap} s apart.",
        "lld: acoustic descriptors; layer-0 and on: the model's hidden layers; final: the last; auto: the layer chosen "
        "anew in each fold by the inner folds. Each set's p stands for itself; it is not corrected for their number.",
    ]


def summary(outcome: RatedOutcome) -> list[str]:
    """Return what the terminal says of each rating: held-out r, and how far its raters agree."""
    lines = []
    for name, found, agreement in named(outcome):
        result = headline_of(found)
        line = f"{name}: held-out r {decimal(float(result.score.r[-1]))} within stimuli, {p_is(result.p_mean)}"
        if agreement is not None:
            ends = "" if math.isnan(agreement.low) else f" [{decimal(agreement.low)}, {decimal(agreement.high)}]"
            line += (
                f"; {len(agreement.raters)} raters agree at r {decimal(agreement.r)}{ends}, {p_is(agreement.p)}, "
                f"ceiling {decimal(agreement.ceiling)}"
            )
        lines.append(line)
    return lines
