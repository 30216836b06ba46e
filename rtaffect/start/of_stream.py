"""What is chosen for one stream alone, as it stands in the window, and what it means in a plan."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.common.mistakes import first_problem
from rtaffect.plan.headset_plan import HeadsetPlan
from rtaffect.start.fields import channels_in, only_in, rate_in, text_of, without_in


@dataclass(frozen=True, slots=True)
class OfStream:
    """What replaces the description of one stream or board: texts as typed, '' where it is as for all.

    ``stream`` is which one: ``source_id=`` or ``name=`` and a value, an exact name, or the text of a board.
    """

    stream: str
    channels: str = ""
    unit: str = ""
    rate: str = ""
    without: str = ""
    only: str = ""
    profile: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing is said."""
        return not any(getattr(self, name).strip() for name in NAMES)


#: What can be said of one stream alone; the same can be said of all.
NAMES: Final = tuple(each.name for each in fields(OfStream) if each.name != "stream")


def plan_of_stream(of: OfStream) -> HeadsetPlan:
    """Return what it means; SettingsError if that cannot be."""
    try:
        return HeadsetPlan(
            stream=of.stream,
            channels=channels_in(of.channels),
            unit=of.unit.strip() or None,
            rate=rate_in(of.rate),
            without=without_in(of.without),
            only=only_in(of.only),
            profile=of.profile.strip() or None,
        )
    except ValidationError as error:
        said = first_problem(error, HeadsetPlan)
        raise SettingsError(f"{said}: correct it", field="without" if of.without and of.only else "headset") from None


def of_plan(plan: HeadsetPlan) -> OfStream:
    """Return the texts that mean ``plan``."""
    return OfStream(plan.stream, **{name: text_of(getattr(plan, name)) for name in NAMES})
