"""The slider that a session's participant rates with."""

from __future__ import annotations

from rtaffect.present.slider_state import Slider
from rtaffect.run.session_sources import SessionSources
from rtaffect.sources.slider import SliderSource


def slider_of(sources: SessionSources) -> Slider | None:
    """Return what the participant moves; None where they do not rate here."""
    if not isinstance(sources.rating, SliderSource):
        return None
    return Slider(sources.rating, alone=sources.setup.protocol is None)
