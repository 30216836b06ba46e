"""Which channels of a stream are taken for what, and why, and which of them are used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rtaffect.common.channel_kinds import Kind, kind_and_why
from rtaffect.common.errors import StreamError, under
from rtaffect.common.montage import given_names, place_of
from rtaffect.sources.device_profile import DeviceProfile, recognise
from rtaffect.stream.source import StreamHeader


@dataclass(frozen=True, slots=True)
class TakenChannel:
    """One channel of a stream: ``kind`` is what it is taken for, ``why`` by what that is told, in words.

    ``usual`` is whether it is used where nothing is chosen, ``used`` whether it is. One without a name of its own
    cannot be chosen.
    """

    label: str
    kind: Kind
    why: str
    usual: bool
    used: bool


def taken_channels(
    stream: StreamHeader,
    channels: Sequence[str] | None = None,
    profile: str = "",
    without: Sequence[str] = (),
    only: Sequence[str] = (),
) -> tuple[TakenChannel, ...]:
    """Return all channels of a described stream, in order; the parameters are what is given for it.

    Raises
    ------
    SettingsError
        If there is no such profile.
    """
    found = recognise(stream, profile)
    labels, _ = labels_of(stream, found.profile if found is not None else None, given_names(channels))
    told = kinds_and_whys(stream, labels, found.profile if found is not None else None)
    kinds = [kind for kind, _ in told]
    usual = used_of(stream.name, labels, kinds, (), ())
    try:
        used = used_of(stream.name, labels, kinds, without, only)
    except StreamError:
        used = ()
    return tuple(
        TakenChannel(label, kind, why, i in usual, i in used)
        for i, (label, (kind, why)) in enumerate(zip(labels, told, strict=True))
    )


def choice_of(taken: Sequence[TakenChannel], wanted: Collection[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return ``without`` and ``only`` by which the channels of the numbers ``wanted`` are used; one of them at most.

    Channels of one name go together.
    """
    places = {place_of(taken[i].label) for i in wanted}
    alike = {i for i, each in enumerate(taken) if each.label.strip() and place_of(each.label) in places}
    chosen = alike | set(wanted)
    usual = {i for i, each in enumerate(taken) if each.usual}

    def names(numbers: Collection[int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(taken[i].label for i in sorted(numbers)))

    if chosen == usual:
        return (), ()
    return (names(usual - chosen), ()) if chosen < usual and chosen else ((), names(chosen))


def labels_of(
    stream: StreamHeader, known: DeviceProfile | None, channels: Sequence[str] | None
) -> tuple[tuple[str, ...], bool]:
    """Return names of all channels, '' where there is none, and whether they are those of the profile."""
    if channels and len(channels) == stream.channels:
        return tuple(channels), False
    if known is not None and not all(label.strip() for label in stream.labels):
        names = known.names_for(stream.channels)
        if names:
            return names, True
    return stream.labels, False


def kinds_of(stream: StreamHeader, labels: Sequence[str], known: DeviceProfile | None) -> tuple[Kind, ...]:
    """Return what each channel carries."""
    return tuple(kind for kind, _ in kinds_and_whys(stream, labels, known))


def kinds_and_whys(
    stream: StreamHeader, labels: Sequence[str], known: DeviceProfile | None
) -> tuple[tuple[Kind, str], ...]:
    """Return what each channel carries, and by what that is told, in words."""
    eeg_types = {each.casefold() for each in (known.eeg_types if known is not None else ())}
    found = []
    for label, said, unit in zip(labels, stream.types, stream.units, strict=True):
        kind = known.kind_of(label) if known is not None else None
        declared = "" if said.strip().casefold() in eeg_types else said
        by_profile = f"the profile {known.name}" if known is not None else ""
        found.append((kind, by_profile) if kind else kind_and_why(label, declared, unit))
    return tuple(found)


def used_of(
    stream: str, labels: Sequence[str], kinds: Sequence[Kind], without: Sequence[str], only: Sequence[str]
) -> tuple[int, ...]:
    """Return the numbers of the channels in use; StreamError if none of the ``only`` ones is there."""
    places = [place_of(label) for label in labels]
    if only:
        wanted = {place_of(each) for each in only}
        chosen = tuple(i for i, place in enumerate(places) if place in wanted)
        if not chosen:
            raise StreamError(
                f"stream {stream!r} has none of the channels {', '.join(only)}; it has {', '.join(labels)}: name its "
                f"own {under('only')}"
            )
        return chosen
    dropped = {place_of(each) for each in without}
    return tuple(i for i, place in enumerate(places) if kinds[i] in {"eeg", "eog"} and place not in dropped)
