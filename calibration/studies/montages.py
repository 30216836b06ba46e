"""Which channels several recordings share, and which some lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rtaffect.common.errors import MontageError
from rtaffect.common.montage import common_rows, is_eog, place_of


def montage_problems(montages: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield what is wrong with recordings of these channels: that they share none, or which some of them lack.

    Channels are the same where they mean the same place; those of the eyes do not count.
    """
    if not montages:
        return
    try:
        common_rows(montages, None)
    except MontageError as error:
        yield str(error)
        return
    names = {place_of(n): n for channels in montages.values() for n in channels if not is_eog(n)}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for who, channels in montages.items():
        held = {place_of(n) for n in channels}
        if missing := tuple(name for place, name in names.items() if place not in held):
            lacking.setdefault(missing, []).append(who)
    for absent, owners in lacking.items():
        yield (
            f"{', '.join(owners)}: no channel {', '.join(absent)}, which others have; rows are only the channels that "
            "all have: add them, or name them alike with listener.channels in study.toml"
        )
