"""Which fields make sense with the other choices, and why others do not: pure functions of choices and findings."""

from __future__ import annotations

from typing import Final

from rtaffect.start.choices import Choices, is_of_session
from rtaffect.start.fields import is_demo_bundle
from rtaffect.start.found import AffectFacts, Found, asks_for

#: The fields that only some bundles have a use for.
FIELDS: Final = ("elements", "affect", "library", "affect_rest_s", "rating", "rating_lag_s")


def why_not(choices: Choices, found: Found) -> dict[str, str]:
    """Return for each of ``FIELDS`` why it has no use with these choices, in words; '' where it has one."""
    library, rest = _of_affect(choices, found)
    rating, lag = _of_ratings(choices, found)
    reasons = (_elements(choices, found), "", library, rest, rating, lag)
    return dict(zip(FIELDS, reasons, strict=True))


def _elements(choices: Choices, found: Found) -> str:
    if choices.mode == "demo" or _session_has(choices, found, "bundle") or is_demo_bundle(choices.bundle):
        return ""
    if not choices.bundle.strip():
        return "needs a bundle with voice and background"
    facts = found.bundle(choices)
    if facts is None:
        return "the bundle is not read yet, or cannot be"
    return "" if facts.bundle.manifest.elements is not None else "the bundle has none"


def _of_affect(choices: Choices, found: Found) -> tuple[str, str]:
    if not choices.affect.strip() and not _session_has(choices, found, "affect"):
        return ("needs a bundle of affect",) * 2
    facts = found.get(asks_for(choices).affect)
    rests = not isinstance(facts, AffectFacts) or facts.rest_s is not None
    return "", "" if rests else "the bundle subtracts no rest"


def _of_ratings(choices: Choices, found: Found) -> tuple[str, str]:
    if is_of_session(choices):
        # Who rated is in the folder; how late that was can be seen anew.
        return "as the session ran", ""
    facts = found.bundle(choices)
    if facts is None:
        return ("needs a bundle of ratings",) * 2
    if facts.bundle.manifest.space != "ratings":
        return ("the bundle has none",) * 2
    return "", ""


def _session_has(choices: Choices, found: Found, part: str) -> bool:
    """Return whether a session that is replayed had a bundle, or one of affect."""
    session = found.session(choices) if choices.mode == "replay" else None
    return session is not None and (part in session.ran or getattr(session.plan.analysis, part) is not None)
