"""Whether a bundle fits the headsets and the sound: by the very checks that the session makes."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rtaffect.common.errors import RtaffectError
from rtaffect.common.settings import Settings, read_settings
from rtaffect.observed.operator import Operator
from rtaffect.observed.signal_path import design_filter
from rtaffect.observed.spaces import Space
from rtaffect.protocol.reading import check_rows, window_problems
from rtaffect.run.assemble import require_reference, space_of
from rtaffect.start.choices import Choices
from rtaffect.start.fields import mains_in
from rtaffect.start.found import BundleFacts, Found, SoundFacts, Trouble, asks_for, asks_of_protocol, trouble_of
from rtaffect.start.streams import people
from rtaffect.start.wording import in_window
from rtaffect.stream.source import StreamInfo


@dataclass(frozen=True, slots=True, eq=False)
class BundleFit:
    """What the session would show of these headsets.

    ``whole`` is the space before it is fitted and ``space`` after, None where that is impossible; ``wrong`` says why,
    with the field that is to blame, and what else does not fit.
    """

    whole: Space | None = None
    space: Space | None = None
    settings: Settings | None = None
    wrong: tuple[tuple[str, str], ...] = ()


def people_of(choices: Choices, found: Found) -> tuple[tuple[StreamInfo, ...], tuple[Trouble, ...]]:
    """Return what the session would use of the ticked streams and boards, and what is wrong with the others."""
    persons, errors = people(choices, found.streams_for(choices))
    wrong = tuple(trouble_of(error, header) for error, header in errors)
    if choices.mode != "live":
        return persons, wrong
    boards = [found.boards.get(text) for text in choices.boards]
    troubles = [board for board in boards if isinstance(board, Trouble)]
    return (*persons, *(board for board in boards if isinstance(board, StreamInfo))), (*wrong, *troubles)


def fit_of(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> BundleFit:
    """Return whether the bundle, or the settings that hold without one, fit the headsets ``persons``."""
    facts = found.bundle(choices)
    if facts is not None and persons:
        return _fit(facts.bundle.space, facts.bundle.manifest.settings, persons, "bundle")
    try:
        settings = settings_of(choices, found)
    except RtaffectError as error:
        return BundleFit(wrong=(("mains", in_window(error)),))
    operator = found.get(asks_for(choices).head)
    unread = choices.head.strip() and not isinstance(operator, Operator)
    if settings is None or unread or asks_for(choices).bundle is not None or not persons:
        return BundleFit()
    return _fit(operator if isinstance(operator, Operator) else None, settings, persons, "streams")


def settings_of(choices: Choices, found: Found) -> Settings | None:
    """Return the settings that hold without a bundle; None while their file is read or cannot be.

    Raises
    ------
    SettingsError
        If the mains frequency is none.
    """
    mains = mains_in(choices.mains)
    if not choices.settings.strip():
        return read_settings(None, mains)
    held = found.get(asks_for(choices).settings)
    if not isinstance(held, Settings) or mains is None:
        return held if isinstance(held, Settings) else None
    return held.model_copy(update={"signal": held.signal.model_copy(update={"mains_hz": mains})})


@functools.lru_cache(maxsize=8)
def _fit(given: Space | Operator | None, settings: Settings, people: tuple[StreamInfo, ...], blamed: str) -> BundleFit:
    montages = {person.name: person.channels for person in people}
    wrong = []
    for rate in dict.fromkeys(person.rate for person in people):
        try:
            design_filter(settings.signal, rate)
        except RtaffectError as error:
            wrong.append((blamed, in_window(error)))
    whole: Space | None = None
    try:
        whole = given if isinstance(given, Space) else space_of(given, montages, settings)
        return BundleFit(whole, whole.fit_to(montages), settings, tuple(wrong))
    except RtaffectError as error:
        return BundleFit(whole, None, settings, (*wrong, (blamed, in_window(error))))


def protocol_misfits(choices: Choices, found: Found, fit: BundleFit) -> tuple[str, ...]:
    """Return what of the protocol these headsets cannot show."""
    protocol = found.protocol(choices)
    if protocol is None or fit.space is None or fit.settings is None:
        return ()
    said = window_problems(protocol, fit.settings.synchrony.window_s)
    try:
        check_rows(protocol, fit.space.rows)
    except RtaffectError as error:
        said.append(in_window(error))
    return tuple(said)


def reference_troubles(choices: Choices, found: Found) -> tuple[str, ...]:
    """Return why sounds that people hear cannot be compared with the bundle's reference group, one line each."""
    facts = found.bundle(choices)
    if facts is None:
        return ()
    sounds = [found.get(ask) for ask in (asks_for(choices).sound, *asks_of_protocol(choices, found))]
    heard = {sound.sha256: sound for sound in sounds if isinstance(sound, SoundFacts)}
    said = (_reference_trouble(facts, sound) for sound in heard.values())
    return tuple(dict.fromkeys(line for line in said if line))


@functools.lru_cache(maxsize=8)
def _reference_trouble(facts: BundleFacts, sound: SoundFacts) -> str:
    # Only the model's bundle is asked for.
    try:
        require_reference(facts.bundle, sound.sha256, sound.name)
    except RtaffectError as error:
        return in_window(error)
    return ""


def forget() -> None:
    """Let go of bundles and spaces that were compared."""
    _fit.cache_clear()
    _reference_trouble.cache_clear()
