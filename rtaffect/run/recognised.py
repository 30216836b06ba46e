"""What is told of the headsets of a session: what was recognised, what was assumed, and what is no EEG of them."""

from __future__ import annotations

from collections.abc import Sequence

from rtaffect.common.channel_kinds import gathered
from rtaffect.stream.source import Source


def about_headsets(people: Sequence[Source]) -> list[str]:
    """Return the notes on all headsets, those that hold for several once."""
    return gathered((source.info.name, source.info.about.words) for source in people)
