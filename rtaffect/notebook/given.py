"""What a program gives to the functions of the package: checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.common.mistakes import mistakes
from rtaffect.plan.session_plan import SessionPlan


def as_parameter(error: ValidationError, function: str, names: Mapping[str, str]) -> SettingsError:
    """Return what is wrong with a plan that was made of a function's parameters, as that of the parameter.

    ``names`` are those of parameters, by the field of the plan that each is, as in ``eeg.unit``.
    """
    first = mistakes(error, SessionPlan)[0]
    name = names.get(".".join(map(str, first.path[:2])))
    within = first if name is None else replace(first, path=(name, *first.path[2:]))
    return SettingsError(f"{function}: {within.line(within.where)}")


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
