"""What a setting of a session is: one field of its plan, of which its option, the window's field and docs are made."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

Mode = Literal["live", "replay", "demo"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Setting:
    """What marks a plan's field as a setting, beside the type, default and description that the field has itself.

    Attributes
    ----------
    option : str
        Name of its option without the dashes; a message refers to the setting by it.
    label : str
        Its caption in the start window, with '&' before the letter that goes to it with Alt; '' if it is not there.
    choice : str
        Its name among the window's choices, where that is not the field's.
    unit : str
        Unit of a number that is typed, shown with the caption.
    expected : str
        What a number that is typed has to be, for the error.
    modes : tuple of Mode
        The commands that have the option.
    metavar : str
        What stands for its value in the command's help.
    multiple : bool
        Whether the option is given once for each value of a tuple; else they are one text with commas.
    bare : str or None
        What the option means without a value, if it may be given so; ``bare_modes`` are the commands in which it may.
    other_help : dict of Mode to str
        What it is in a mode in which that is not the field's description.
    """

    option: str
    label: str = ""
    choice: str = ""
    unit: str = ""
    expected: str = ""
    modes: tuple[Mode, ...] = ("live", "replay")
    metavar: str | None = None
    multiple: bool = False
    bare: str | None = None
    bare_modes: tuple[Mode, ...] = MODES
    other_help: dict[Mode, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The label as a message has it."""
        return self.label.replace("&", "")

    @property
    def caption(self) -> str:
        """The label with the unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, slots=True)
class DefinedSetting:
    """A setting with the field that it marks; ``path`` leads to it from the whole plan."""

    path: tuple[str, ...]
    field: FieldInfo
    setting: Setting

    @property
    def choice(self) -> str:
        """Its name among the window's choices."""
        return self.setting.choice or self.path[-1]

    @property
    def type(self) -> Any:
        """The type of its values, without None: a class, ``tuple[...]`` or ``Literal[...]``."""
        kind = self.field.annotation
        if get_origin(kind) in (Union, types.UnionType):
            (kind,) = (each for each in get_args(kind) if each is not type(None))
        return kind

    @property
    def least(self) -> Any:
        """The lowest value that is allowed, None if that is not said."""
        return self.limits[0]

    @property
    def limits(self) -> tuple[Any, Any]:
        """The lowest and the highest value that are allowed, None where that is not said."""
        least, most = (next((getattr(m, n) for m in self.field.metadata if hasattr(m, n)), None) for n in ("ge", "le"))
        return least, most

    def checked(self, value: object) -> Any:
        """Return a value as the field's type; pydantic's ValidationError, a ValueError, if the field cannot have it."""
        kind: Any = Annotated[(self.field.annotation, *self.field.metadata)]
        return TypeAdapter[Any](kind).validate_python(value)

    def value_in(self, plan: BaseModel) -> Any:
        """Return the setting's value in a whole plan."""
        return functools.reduce(getattr, self.path, plan)

    def put(self, content: dict[str, Any], value: object) -> None:
        """Put a value where the setting stands in the content of a plan."""
        *parts, name = self.path
        for part in parts:
            content = content.setdefault(part, {})
        content[name] = value

    def help(self, mode: Mode) -> str:
        """Return what it is, in a mode."""
        return self.setting.other_help.get(mode, self.field.description or "")


def settings_of(plan: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[DefinedSetting]:
    """Return the settings of a plan and of its parts, in their order."""
    for name, found in plan.model_fields.items():
        if isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel):
            yield from settings_of(found.annotation, (*path, name))
        for mark in found.metadata:
            if isinstance(mark, Setting):
                yield DefinedSetting((*path, name), found, mark)
