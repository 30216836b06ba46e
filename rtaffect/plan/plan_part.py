"""What the parts of a session plan have in common."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationInfo, field_validator

from rtaffect.common.reading import path_problem
from rtaffect.common.settings import Frozen


class PlanPart(Frozen):
    """A part of the plan; a text that can be no path is refused where one is expected."""

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[info.field_name or ""].annotation)
        if isinstance(value, str) and "Path" in kind and (wrong := path_problem(value)):
            raise ValueError(f"{value[:80]!r}: {wrong}")
        return value
