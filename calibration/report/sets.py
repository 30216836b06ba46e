"""What the report says of feature sets: their scores and chance, layers compared, covariates and elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calibration.outcome import Outcome
from calibration.report.figures import comparison_figure, covariates_figure, scores_figure
from calibration.report.html import NONE, decimal, figure, p_of, paragraph, table
from calibration.report.numbers import ELEMENTS, LEVEL, Numbers
from calibration.report.sections import Section
from calibration.sweep import AUTO

_SETS_HEAD = (
    "feature set", "r", "chance", "chance, phases", "R\N{SUPERSCRIPT TWO}", "p", "rows, median r",
    "rows p < .05", "rows, FDR < .05",
)  # fmt: skip


def feature_sets(outcome: Outcome, numbers: Numbers) -> Section:
    """Return the scores of every feature set, how chance was told, and the comparison of layers."""
    auto, study = numbers["auto"], numbers["study"]
    sets = [*numbers["sets"], *([] if auto is None else [auto])]
    window = outcome.bundle.manifest.settings.synchrony.window_s
    drawn = scores_figure(outcome)
    ceiling = "" if numbers["result"]["ceiling_high"] is not None else " There is no noise ceiling."
    caption = (
        f"Held-out r of the mean over {study['mean_of']} for each feature set (large dots) and of each of these rows "
        f"(small dots). Grey: what 95 % of displaced courses stay below, which is more where that is by the "
        "bound told below. In "
        f"bold, what the bundle has.{ceiling}"
    )
    content = figure(drawn, caption) + "".join(map(paragraph, _about_chance(sets, window)))
    content += sets_table(sets, (study["layer"], study["chosen"]))
    comparison, more = _comparison(outcome, numbers)
    return content + "<h3>Layers compared</h3>\n" + comparison, [drawn, *more]


def _about_chance(sets: Sequence[Numbers], window: int) -> list[str]:
    """Return how seconds depend on each other, and how chance was told, in words."""
    exact, rest = [s["name"] for s in sets if s["exact"]], [s["name"] for s in sets if not s["exact"]]
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
        "lld: acoustic descriptors; layer-0 and on: the model's hidden layers; final: the last. "
        + ("auto: the layer chosen anew in each outer fold, by the inner folds. " if AUTO in rest else "")
        + "Each set's p stands for itself; it is not corrected for the number of feature sets.",
    ]


def _in_words(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def sets_table(sets: Sequence[Numbers], bold: Sequence[str]) -> str:
    """Return the scores of feature sets."""
    rows = [
        [s["name"], decimal(s["r"]), decimal(s["chance"]), decimal(s["chance_phase"]), decimal(s["r2"]), p_of(s["p"]),
         decimal(s["rows_r"]), _share(s["rows_family"], s["rows"]), _share(s["rows_discovery"], s["rows"])]
        for s in sets
    ]  # fmt: skip
    caption = (
        "r, R\N{SUPERSCRIPT TWO} and p of the mean over rows, held out. R\N{SUPERSCRIPT TWO} is against the mean of "
        "the training sounds: it can be below 0 where r is not, and needs more than one sound. Rows: those that the "
        "mean is over; p < .05 family-wise among them, and by false discovery rate. In bold, what the bundle has."
    )
    return table(_SETS_HEAD, rows, caption, bold=bold)


def _share(count: int, of: int) -> str:
    return f"{count} of {of}"


def _comparison(outcome: Outcome, numbers: Numbers) -> Section:
    """Return the differences between layers over stimuli."""
    found = numbers["comparison"]
    if found is None:
        lacking = "stimulus" if len(outcome.sweep.layers) > 1 else "layer"
        return paragraph(f"Not compared: that needs more than one {lacking}."), []
    pairs = found["pairs"]
    clear = [pair for pair in pairs if pair["p_family"] is not None and pair["p_family"] < LEVEL]
    flips = "all" if found["exact"] else "random"
    text = (
        f"Fisher z of r of the mean over rows, in {found['units']} stimuli; {flips} flips of the differences' signs, "
        "two-sided, family-wise over all pairs, with a bound for predictions that were fitted to each other's stimuli. "
        + ("Fewer than 6 stimuli cannot reach p = .05. " if found["units"] < 6 else "")
        + (f"{len(clear)} of {len(pairs)} pairs have p < .05." if clear else "No two layers can be told apart.")
    )
    best = found["best"]
    against = [pair for pair in pairs if best in (pair["a"], pair["b"])]
    rows = []
    for pair in against:
        other, sign = (pair["b"], 1) if pair["a"] == best else (pair["a"], -1)
        rows.append([other, decimal(_times(pair["difference"], sign)), p_of(pair["p"]), p_of(pair["p_family"])])
    caption = f"{best}, which the inner folds of everything choose, less each other layer: mean difference of Fisher z."
    content = paragraph(text) + table(("layer", "difference", "p alone", "p family-wise"), rows, caption)
    drawn = comparison_figure(outcome)
    if drawn is None:
        return content, []
    words = "Row less column. Numbers are family-wise p, bold below .05; where there are many layers dots mark these."
    return content + figure(drawn, words), [drawn]


def _times(value: float | None, sign: int) -> float | None:
    return None if value is None else sign * value


def controls(outcome: Outcome, numbers: Numbers) -> Section:
    """Return the feature sets with covariates, and the elements of the sound."""
    content, drawn = _covariates(outcome, numbers)
    rows: list[list[str]] = []
    for element in ELEMENTS:
        found = numbers["elements"][element]
        missing = "not computed: no separated elements" if element != "mix" else "not computed"
        rows.append([element, missing] if found is None else [element, *_brief(found)])
    caption = f"Elements of the sound, {numbers['study']['layer']}: held-out r of the mean over rows."
    head = ("element", "r", "chance", "R\N{SUPERSCRIPT TWO}", "p", "rows p < .05")
    return content + "<h3>Elements</h3>\n" + table(head, rows, caption), drawn


def _brief(found: Numbers) -> list[str]:
    return [
        decimal(found["r"]), decimal(found["chance"]), decimal(found["r2"]), p_of(found["p"]),
        _share(found["rows_family"], found["rows"]),
    ]  # fmt: skip


def _covariates(outcome: Outcome, numbers: Numbers) -> Section:
    if not numbers["controlled"]:
        return paragraph("The study has no covariates, so nothing was controlled for."), []
    names = ", ".join(numbers["covariates"]) or "not named"
    text = (
        f"Covariates: {names}. They join in the training with the same lags, so that what they explain is not credited "
        "to the sound; predictions are made with them at their mean, and r is of the sound's features alone."
    )
    plain = {s["name"]: s for s in numbers["sets"]}
    rows = []
    for found in numbers["controlled"]:
        without: Any = plain.get(found["name"], {})
        rows.append(
            [found["name"], decimal(without.get("r")), p_of(without.get("p")), decimal(found["r"]), p_of(found["p"]),
             decimal(found["chance"]), _change(without.get("r"), found["r"])]
        )  # fmt: skip
    head = ("feature set", "r without", "p", "r with", "p", "chance", "change of r")
    drawn = covariates_figure(outcome)
    caption = "Held-out r of the mean over rows, without covariates and with them in the training."
    words = "The same as numbers; chance is with covariates."
    return paragraph(text) + figure(drawn, caption) + table(head, rows, words), [drawn]


def _change(before: float | None, after: float | None) -> str:
    return NONE if before is None or after is None else decimal(after - before)
