"""What a report holds as JSON: every dataclass an object, in the order of its fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Final

import numpy as np

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
#: Metadata of a field, a dataclass or a mapping, whose content stands in the object itself rather than in one below it.
INLINE: Final = {"inline": True}
#: Metadata of a field that is for a figure alone.
HIDDEN: Final = {"hidden": True}


def as_json(value: object) -> Json:
    """Return a value as JSON has it: dataclasses as objects, numpy's numbers as Python's, NaN and infinity as null.

    Raises
    ------
    TypeError
        If there is no JSON for it.
    """
    if is_dataclass(value):
        found: dict[str, Json] = {}
        for field in (each for each in fields(value) if each.metadata != HIDDEN):
            content = as_json(getattr(value, field.name))
            found |= content if field.metadata == INLINE and isinstance(content, dict) else {field.name: content}
        return found
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return known(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a report holds a {type(value).__name__}; expected what JSON has, or a dataclass")


def known(value: float) -> float | None:
    """Return a number as JSON has it: None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None
