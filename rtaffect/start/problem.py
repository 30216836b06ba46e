"""One line of what is to be said before a session starts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from rtaffect.common.errors import RtaffectError
from rtaffect.start.found import Ask, Fact, Found, Trouble, trouble_of
from rtaffect.start.wording import choice_of

Kind = Literal["stop", "wait", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One line: what it is about (the name of a field of :class:`Choices`), and what is wrong, with the remedy.

    ``uid`` is that of the stream that it is about, '' for none in particular.

    A 'stop' or 'wait' prevents the start, the latter only until something has been looked at; a 'note' does not.
    """

    where: str
    text: str
    kind: Kind = "stop"
    uid: str = ""


def refused(by: RtaffectError | Trouble, where: str) -> Problem:
    """Return what a session refuses, of the field that mends it; ``where`` if it does not say which."""
    trouble = trouble_of(by) if isinstance(by, RtaffectError) else by
    return Problem(choice_of(trouble.field, where), trouble.text, uid=trouble.uid)


def looked(ask: Ask | None, found: Found, where: str, waiting: str) -> Generator[Problem, None, Fact | Trouble | None]:
    """Say that something is still looked at, or why it cannot be used; return what is known of it."""
    fact = found.get(ask)
    if ask is not None and fact is None:
        yield Problem(where, waiting, "wait")
    elif isinstance(fact, Trouble):
        yield Problem(where, fact.text)
    return fact
