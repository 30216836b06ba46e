"""What a program gives to the functions of the package: checked before it is used."""

from __future__ import annotations

import math
from numbers import Real

from rtaffect.common.errors import SettingsError


def number_of(name: str, value: object, expected: str) -> float:
    """Return what was given for ``name`` as a finite number; ``expected`` says what it is to be.

    Raises
    ------
    SettingsError
        If it is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SettingsError(f"{name} is {value!r}", expected)
    return float(value)
