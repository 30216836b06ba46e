"""Whose peripheral signals a session's streams are: told when it begins, and kept in ``session.toml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.run.recognised import describe_headset
from rtaffect.sources.board_preset import BoardPreset
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.peripheral import BY_BOARD, Asked, Device, Owner, Worn, owners, whose
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.source import Source

#: A source of peripheral signals alone: a stream, what a board sends in a preset of its own, or a recorded one.
BodySource = LslSource | BoardPreset | XdfSource


class Wearing:
    """Streams of peripheral signals, and who wears their devices.

    Parameters
    ----------
    eeg
        What was asked for.
    body
        The streams.
    headsets
        Each headset with the name of its stream or board.

    Raises
    ------
    SettingsError
        If a person is named who wears no headset.

    Attributes
    ----------
    notes : list of str
        What is to be told: whose they are taken to be, where nobody said so, or that it is not known.
    """

    def __init__(self, eeg: EegPlan, body: Sequence[BodySource], headsets: Sequence[tuple[Source, str]]) -> None:
        self._body = body
        asked = [Asked.parse(text) for text in eeg.peripheral]
        devices = [_device(source, asked) for source in body]
        worn = [Worn(s.info.name, stream or s.info.name, s.info.source_id, s.info.host) for s, stream in headsets]
        self.owners: list[Owner] = owners(devices, worn)
        self.notes = whose(self.owners, devices)
        for source, owner in zip(body, self.owners, strict=True):
            if owner.by == BY_BOARD:
                sent_by(source, owner.name)

    def describe(self) -> list[dict[str, object]]:
        """Return what ``session.toml`` says of each stream; ``of`` is the headset of who wears the device."""
        return [
            describe_headset(source, source.header.name, "body") | ({"of": o.name, "of_by": o.by} if o.name else {})
            for source, o in zip(self._body, self.owners, strict=True)
        ]


def sent_by(source: BodySource, headset: str) -> None:
    """Take note that a source's signals come from the device of ``headset``, its name in the session."""
    if source.body is not None:
        source.body = replace(source.body, of=headset)


def _device(source: BodySource, asked: Sequence[Asked]) -> Device:
    person = next((each.person for each in asked if each.person and each.query.matches(source.header)), "")
    channels = source.body.channels if source.body is not None else ()
    return Device(source.header, frozenset(channel.kind for channel in channels), person)
