"""The films of a protocol: who sees them, and what is kept of when each frame was seen."""

from __future__ import annotations

from collections.abc import Iterator

from pylsl import local_clock

from rtaffect.common.errors import SettingsError, setting
from rtaffect.outputs.film_projector import Projector
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.model import Protocol


def projector_of(protocol: Protocol, plan: SessionPlan) -> Projector | None:
    """Return what shows the films of a protocol; None where it has none.

    Raises
    ------
    SettingsError
        If it has films, and nobody would see them.
    """
    if not protocol.shows_film:
        return None
    require_view(protocol, plan)
    asked = plan.protocol
    return Projector(local_clock, photodiode=asked.photodiode, screen_delay_s=asked.screen_delay_s)


def passed_over(protocol: Protocol, plan: SessionPlan) -> Iterator[str]:
    """Yield what a plan says of films or a tone where the protocol, which may be one of several, has none."""
    asked, name = plan.protocol, protocol.name
    for option, value in (("photodiode", asked.photodiode), ("screen-delay", asked.screen_delay_s)):
        if value not in ("none", 0.0) and not protocol.shows_film:
            yield f"{setting(option, value)} is for a film and does nothing: protocol '{name}' shows none"
    if asked.tone_device is not None and protocol.feedback.show != "tone":
        yield (
            f"{setting('tone-device', asked.tone_device)} is for a feedback tone and does nothing: protocol '{name}' "
            f"shows a {protocol.feedback.show}"
        )


def require_view(protocol: Protocol, plan: SessionPlan, *, headless: bool = False) -> None:
    """Refuse a film that nobody would see.

    Raises
    ------
    SettingsError
        If there is no view for the participant.
    """
    film = next((block for block in protocol.blocks if block.film is not None), None)
    seen = plan.protocol.screen is not None or plan.protocol.preview
    if film is None or (seen and not headless):
        return
    raise SettingsError(
        f"protocol '{protocol.name}': block '{film.name}' shows the film {film.film}, and the participant has no view "
        f"{'without a screen' if headless else 'to see it in'}",
        remedy=f"give {setting('screen', metavar='N')} or {setting('preview')}; to have only its sound heard, name the "
        "film as the block's stimulus",
        field="screen",
    )
