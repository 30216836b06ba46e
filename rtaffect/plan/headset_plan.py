"""Of a session plan: what replaces the description of one headset alone."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from pydantic import Field, model_validator

from rtaffect.common.settings import Frozen

#: What can be said of one headset, and whether that is a list.
_LISTS: Final = {"channels": True, "unit": False, "rate": False, "without": True, "only": True, "profile": False}
#: With these the text of a board begins; its own question mark may follow.
_BOARDS: Final = ("brainflow:", "fieldtrip:")
EXAMPLE: Final = "Muse-A?unit=microvolts&without=AF7,AF8"

_Text = Annotated[str, Field(min_length=1)]


class HeadsetPlan(Frozen):
    """What replaces the description of one headset, in place of what is given for all of them.

    It may be written as one text, ``STREAM?NAME=VALUE&...``; a value that holds '&', '%' or '?' is percent-encoded.

    Attributes
    ----------
    stream
        Which one: a stream's exact name, ``name=`` or ``source_id=`` and a value, or the text of a board.
    channels, unit, rate, profile
        As for all headsets; what is left out here is as for all.
    without, only
        Its channels; one of them stands in place of both that are given for all.
    """

    stream: _Text
    channels: tuple[_Text, ...] = ()
    unit: _Text | None = None
    rate: float | None = Field(None, gt=0, le=384_000)
    without: tuple[_Text, ...] = ()
    only: tuple[_Text, ...] = ()
    profile: _Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return _parsed(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _goes_together(self) -> HeadsetPlan:
        if self.without and self.only:
            raise ValueError(f"headset {self.stream!r}: without and only exclude each other; give one")
        if not any(getattr(self, name) for name in _LISTS):
            raise ValueError(f"headset {self.stream!r}: nothing is said of it; expected as in {EXAMPLE}")
        key = self.stream.partition("=")[0].strip().lower()
        if "=" in self.stream and key == "type":
            raise ValueError(f"headset {self.stream!r} means any headset; expected one by its name, or source_id=")
        return self

    @property
    def is_board(self) -> bool:
        """Whether a board is meant, and no stream."""
        return self.stream.startswith(_BOARDS)

    @property
    def text(self) -> str:
        """It as one text."""
        said = [(name, getattr(self, name)) for name in _LISTS]
        parts = [f"{name}={_quoted(value)}" for name, value in said if value]
        return f"{self.stream}?{'&'.join(parts)}"


def _quoted(value: object) -> str:
    texts = value if isinstance(value, tuple) else (f"{value:g}" if isinstance(value, float) else str(value),)
    return ",".join(quote(text, safe="/ :-_.") for text in texts)


def _parsed(text: str) -> dict[str, Any]:
    """Return the fields that one text means; ValueError if it is not of that form."""
    stream, mark, said = text.rpartition("?")
    if not (mark and stream.strip() and said.strip()):
        raise ValueError(f"headset {text!r} is not STREAM?NAME=VALUE; expected as in {EXAMPLE}")
    found: dict[str, Any] = {"stream": stream.strip()}
    for part in said.split("&"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if name not in _LISTS or not (equals and value.strip()):
            known = ", ".join(f"{each}=" for each in _LISTS)
            raise ValueError(f"headset {text!r}: {part!r} is none of {known} and a value")
        if name in found:
            raise ValueError(f"headset {text!r} gives {name!r} twice; give it once")
        parts = [unquote(each.strip()) for each in value.split(",")]
        found[name] = tuple(each for each in parts if each) if _LISTS[name] else unquote(value.strip())
    return found | ({"rate": _number(found["rate"])} if "rate" in found else {})


def _number(text: str) -> float | str:
    """Return the number that a text is; the text itself, which is then refused, where it is none."""
    try:
        return float(text)
    except ValueError:
        return text
