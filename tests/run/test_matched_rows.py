"""How many of a bundle's rows the headsets have is always said."""

from __future__ import annotations

from rtaffect.observed.spaces import ChannelSpace
from rtaffect.run.recipe import matched_rows

WHOLE = ChannelSpace(("Fp1", "Fz", "C3", "Cz", "C4", "Pz", "Oz"))


def test_all_of_them() -> None:
    assert matched_rows(WHOLE.fit_to({"A": WHOLE.channels}), WHOLE) == "the headsets have all 7 rows of the bundle"


def test_some_of_them_are_named() -> None:
    said = matched_rows(WHOLE.fit_to({"A": ("C3", "C4", "TP9"), "B": WHOLE.channels}), WHOLE)
    assert said.startswith("the headsets have 2 of the bundle's 7 rows: C3, C4; of the others there is no value")
