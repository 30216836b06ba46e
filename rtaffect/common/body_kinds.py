"""Which peripheral signal a channel carries, by the one place that tells what channels carry."""

from __future__ import annotations

from typing import Final, Literal, TypeGuard, get_args

from rtaffect.common.channel_kinds import kind_of

#: Electrodermal activity, electrocardiogram, pulse by light, breathing.
BodyKind = Literal["eda", "ecg", "ppg", "respiration"]
BODY_KINDS: Final[tuple[BodyKind, ...]] = get_args(BodyKind)


def is_body(kind: str) -> TypeGuard[BodyKind]:
    """Return whether what a channel carries is a peripheral signal."""
    return kind in BODY_KINDS


def body_kind(label: str, declared: str = "", stream: str = "") -> BodyKind | None:
    """Return which signal a channel carries; None for any other.

    Parameters
    ----------
    label, declared
        Its name and its type. A type other than EEG decides; else the name does.
    stream
        Type of its stream, for channels that say nothing themselves.
    """
    kind = kind_of(label, declared, "")
    if kind == "eeg" and not declared.strip():
        kind = kind_of("", stream, "")
    return kind if is_body(kind) else None
