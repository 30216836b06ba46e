"""What the report says of the paper's claims: layers against descriptors, and what is left beyond covariates."""

from __future__ import annotations

from collections import Counter
from typing import Final

from calibration.features import DESCRIPTORS_SET
from calibration.pages import count_of, decimal, p_is, p_of
from calibration.report.content import LayerPair, ReportNumbers
from calibration.report.numbers import LEVEL

_NAMES: Final = {"final": "the last layer", DESCRIPTORS_SET: "the acoustic descriptors"}


def about_middle(numbers: ReportNumbers) -> list[str]:
    """Return in words how the middle layer does against the last one and the descriptors."""
    found = numbers.contrasts
    if found is None:
        return []
    lines = []
    if found.middle_of_fold:
        folds = Counter(found.middle_of_fold).most_common()
        which = ", ".join(f"{layer} in {count_of(n, 'fold')}" for layer, n in folds)
        lines.append(f"The middle layer is chosen anew in each outer fold, by its inner folds: {which}.")
    return [
        *lines,
        *(_verdict(each.mean, f"The middle layer's predictions and those of {_NAMES[each.mean.b]}")
          for each in found.of_middle()),
    ]  # fmt: skip


def middle_rows(numbers: ReportNumbers) -> list[list[str]]:
    """Return the table of the middle layer row by row, its head first; empty where there is nothing to be told."""
    pairs = [] if numbers.contrasts is None else numbers.contrasts.of_middle()
    if not pairs:
        return []
    head = ["row", "kind"]
    for pair in pairs:
        head += [f"less {pair.mean.b}", "p corrected"]
    found = [head]
    for same in zip(*(pair.rows for pair in pairs), strict=True):
        cells = [same[0].name, same[0].kind]
        for each in same:
            cells += [decimal(each.difference), p_of(each.p_family)]
        found.append(cells)
    return found


def _verdict(pair: LayerPair, both: str) -> str:
    facts = f"mean difference of Fisher z {decimal(pair.difference)}, {p_is(pair.p_family)}, corrected"
    if pair.difference is None or pair.p_family is None:
        return f"{both} cannot be compared: too few sounds have both."
    if pair.p_family >= LEVEL:
        return f"{both} cannot be told apart ({facts})."
    return f"{both} differ: the middle layer's are {'better' if pair.difference > 0 else 'worse'} ({facts})."


def about_unique(numbers: ReportNumbers) -> list[str]:
    """Return in words what the bundle's feature set tells beyond the covariates; nothing without any."""
    if not numbers.covariates and not numbers.controlled:
        return []
    own = next((u for u in numbers.unique if u.name == numbers.study.layer), None)
    if own is None or own.r is None:
        why = numbers.no_unique or "nothing could be judged"
        return [f"What the sound tells beyond the covariates is not known: {why}."]
    facts = f"unique r = {decimal(own.r)}, {p_is(own.p)}; r rises by {decimal(own.gain)}, {p_is(own.gain_p)}"
    if own.p is not None and own.p < LEVEL:
        return [f"{own.name} tells of it beyond what the covariates tell ({facts})."]
    return [f"That {own.name} tells anything of it beyond what the covariates tell is not shown ({facts})."]
