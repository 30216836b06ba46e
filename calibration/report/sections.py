"""What the report says of the study, its result and what was chosen, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.outcome import Outcome
from calibration.report.html import (
    Picture,
    count_of,
    decimal,
    figure,
    listing,
    p_is,
    paragraph,
    seconds_of,
    table,
    terms,
)
from calibration.report.numbers import LEVEL, Numbers
from calibration.sweep import AUTO

Section = tuple[str, list[Picture]]


def banner(numbers: Numbers) -> str:
    """Return whether the data are synthetic, where nobody can miss it."""
    if numbers["study"]["synthetic"]:
        text = (
            "Synthetic data: simulated people who were made to follow the sound. This shows that the chain works, and "
            "nothing about brains."
        )
        return paragraph(text, "banner synthetic")
    what = "Ratings" if numbers["study"]["ratings"] else "Recorded data"
    return paragraph(f"{what}, not synthetic by the study's own account.", "banner")


def glance(outcome: Outcome, numbers: Numbers) -> Section:
    """Return the study and its result in short."""
    study = numbers["study"]
    people = "none: the study has ratings" if study["ratings"] else str(study["listeners"])
    rows = ", ".join(count_of(n, kind) for kind, n in study["rows"].items())
    space = f"{study['space']}, from {count_of(len(study['channels']), 'channel')}: {', '.join(study['channels'])}"
    fitted = [s for s in numbers["stimuli"] if s["fitted"]]
    length = seconds_of(sum(s["seconds"] or 0.0 for s in fitted))
    pairs = [
        ("study", study["name"]),
        ("bundle", study["bundle"]),
        ("listeners", people),
        ("sounds", f"{len(numbers['stimuli'])}, of which {len(fitted)} fitted on, {length} in all"),
        ("rows", f"{rows}; the mean over rows is over {study['mean_of']}"),
        *([] if study["ratings"] else [("space", space)]),
        ("featurizer", f"{study['featurizer']}, {study['feature_size']} values a second"),
        ("feature set", f"{study['layer']}, chosen by {study['chosen_by']}"),
        ("covariates", ", ".join(numbers["covariates"]) or "none"),
        ("made", numbers["created"]),
    ]
    text = paragraph(result_sentence(numbers), "result") + "".join(map(paragraph, _more_of_result(numbers)))
    return text + terms(pairs) + _sounds(numbers), []


def result_sentence(numbers: Numbers) -> str:
    """Return the held-out result in one sentence that claims no more than its p value allows."""
    found, study = numbers["result"], numbers["study"]
    target = "the ratings" if study["ratings"] else "the observed synchrony"
    if found["r"] is None:
        return f"There is no held-out result: no row of {target} could be judged."
    facts = f"{p_is(found['p'])}; 95 % of displaced courses stay below r = {decimal(found['chance'])}"
    facts += "" if found["exact"] else ", by the bound of section 2"
    about = f"held-out predictions and {target} (mean over {study['mean_of']}) is r = {decimal(found['r'])}"
    if found["p"] is None or found["p"] >= LEVEL:
        return f"The correlation of {about}, which is not distinguishable from chance ({facts})."
    return f"The correlation of {about}, above chance ({facts})."


def _more_of_result(numbers: Numbers) -> list[str]:
    """Return what the result is to be measured by: the ceiling, and the choice of the layer."""
    found, study, auto = numbers["result"], numbers["study"], numbers["auto"]
    ends = sorted(end for end in (found["ceiling_low"], found["ceiling_high"]) if end is not None)
    if not ends:
        lines = ["There is no noise ceiling: there are no halves of a group to be compared."]
    elif ends[-1] <= 0:
        lines = ["The noise ceiling is 0: halves of the group have nothing in common that could be predicted."]
    elif len(ends) == 2:
        lines = [
            f"A perfect prediction would correlate at between {decimal(ends[0])} and {decimal(ends[1])} (noise "
            "ceiling, from halves of the group)."
        ]
    else:
        lines = [f"A perfect prediction would correlate at about {decimal(ends[0])} (noise ceiling)."]
    if auto is None:
        return lines
    fair = "the layer chosen anew in each outer fold, so that what is held out has no part in the choice"
    own = next((s for s in numbers["sets"] if s["name"] == study["layer"]), auto)
    if found["name"] == AUTO:
        lines.append(
            f"This is with {fair}. {study['layer']}, which the bundle has and of which the rows and courses below are, "
            f"reaches r = {decimal(own['r'])} ({p_is(own['p'])})."
        )
    else:
        lines.append(f"With {fair}, r would be {decimal(auto['r'])} ({p_is(auto['p'])}).")
    return lines


def _sounds(numbers: Numbers) -> str:
    rows = [
        [s["name"], "fitted on" if s["fitted"] else "reference only", seconds_of(s["seconds"]), str(s["people"]),
         decimal(s["r"])]
        for s in numbers["stimuli"]
    ]  # fmt: skip
    caption = "Sounds. r: held-out prediction and observation of the mean over rows within the sound."
    return table(("sound", "use", "length", "listeners", "r"), rows, caption, texts=2)


def choices(outcome: Outcome, numbers: Numbers, penalties: Picture) -> Section:
    """Return what inner folds chose: penalties, lags, components, layers."""
    made = numbers["choices"]
    warning = paragraph(f"Warning: {made['at_edge']}.", "warning") if made["at_edge"] else ""
    offered = f", of lags up to {_all(made['longest_lags_s'])} s" if made["longest_lags_s"] else "; no others tried"
    picked = {layer: made["layer_of_fold"].count(layer) for layer in made["layer_of_fold"]}
    message = [f"{layer} in {count_of(n, 'fold')}" for layer, n in sorted(picked.items(), key=lambda kv: -kv[1])]
    lines = [
        f"Ages of the features: {_all(made['lags_s'])} s{offered}.",
        f"Principal components: {made['components']} of {made['components_asked']} asked for.",
        f"Outer folds: {made['folds']}" + ("." if len(outcome.measured.sounds) > 1 else ", blocks of the one sound."),
        *([f"Layer that auto takes: {', '.join(message)}."]
          if message else []),
    ]  # fmt: skip
    caption = f"Penalty of each row's final weights, {numbers['study']['layer']}; chosen by inner folds."
    return figure(penalties, caption) + warning + listing(lines), [penalties]


def _all(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
