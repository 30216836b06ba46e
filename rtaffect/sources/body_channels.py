"""Which channels of a stream are peripheral: EDA, ECG, PPG, respiration."""

from __future__ import annotations

from collections.abc import Sequence

from rtaffect.common.body_kinds import body_kind, is_body
from rtaffect.common.channel_kinds import Kind
from rtaffect.stream.body import BodyChannel
from rtaffect.stream.source import StreamHeader


def body_among(labels: Sequence[str], units: Sequence[str], kinds: Sequence[Kind]) -> tuple[BodyChannel, ...]:
    """Return the peripheral ones among channels of ``kinds``."""
    return tuple(
        BodyChannel(label or f"{kind} {column + 1}", kind, unit, column)
        for column, (label, unit, kind) in enumerate(zip(labels, units, kinds, strict=True))
        if is_body(kind)
    )


def body_channels(stream: StreamHeader) -> tuple[BodyChannel, ...]:
    """Return the peripheral channels of a stream, as it says; its type stands for those that say nothing."""
    found = []
    for column, (label, kind, unit) in enumerate(zip(stream.labels, stream.types, stream.units, strict=True)):
        if (body := body_kind(label, kind, stream.type)) is not None:
            found.append(BodyChannel(label or f"{body} {column + 1}", body, unit, column))
    return tuple(found)
