"""What prevents a session from running its protocol and keeping its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rtaffect.common.errors import RtaffectError
from rtaffect.common.words import duration, size
from rtaffect.plan.session_plan import is_code
from rtaffect.present.participant_state import choose_screen
from rtaffect.start.choices import Choices
from rtaffect.start.fields import seconds_in
from rtaffect.start.fit import BundleFit, protocol_misfits
from rtaffect.start.found import FolderFacts, Found, ProtocolFacts, Trouble, ask_arm, asks_for
from rtaffect.start.problem import Kind, Problem, looked, refused
from rtaffect.start.wording import in_window
from rtaffect.stream.source import StreamInfo

#: Less free space than this is no place for a session, bytes.
LEAST_FREE: Final = 200e6
#: What a sample takes on disk, bytes: its value and its share of a time.
_BYTES: Final = 6.0


def protocol_problems(choices: Choices, found: Found, fit: BundleFit) -> Iterator[Problem]:
    """Return what is wrong with the protocol, its allocation, and the participant's view."""
    facts = yield from looked(asks_for(choices).protocol, found, "protocol", "The protocol is being read")
    if isinstance(facts, ProtocolFacts):
        for line in facts.problems:
            yield Problem("protocol", f"Protocol: {line}")
    for line in protocol_misfits(choices, found, fit):
        yield Problem("protocol", line)
    if choices.mode == "live":
        yield from looked(asks_for(choices).allocation, found, "allocation", "The allocation is being read")
        if choices.allocation.strip() and not choices.protocol.strip():
            yield Problem("protocol", "The allocation is one of a protocol's arms: choose that protocol, too")
    yield from _arm(choices, found)
    yield from _screen(choices, found)
    protocol = found.protocol(choices)
    predicts = choices.mode == "demo" or asks_for(choices).bundle is not None
    if protocol and protocol.feedback.value in ("predicted", "difference") and not predicts:
        text = f"The protocol feeds back the {protocol.feedback.value} synchrony, which needs a bundle and a sound"
        yield Problem("bundle", f"{text}: choose them")


def _arm(choices: Choices, found: Found) -> Iterator[Problem]:
    """Say whether the participant has an arm; never which."""
    if isinstance(found.get(asks_for(choices).allocation), Trouble):
        return
    ask = ask_arm(choices, found)
    fact = found.get(ask)
    if ask is not None and fact is None:
        yield Problem("allocation", "The participant's arm is being looked up", "wait")
    elif isinstance(fact, Trouble):
        yield refused(fact, "allocation")


def _screen(choices: Choices, found: Found) -> Iterator[Problem]:
    if choices.screen is not None and not choices.preview:
        try:
            choose_screen(choices.screen, found.screens)
        except RtaffectError as error:
            yield Problem("screen", in_window(error))
    seen = choices.screen is not None or choices.preview
    if seen and not choices.protocol_file.strip():
        yield Problem("screen", "Without a protocol the participant's view stays neutral", "note")
    protocol = found.protocol(choices)
    film = next((block for block in protocol.blocks if block.film is not None), None) if protocol else None
    if choices.mode == "live" and film is not None and not seen:
        text = f"Block {film.name!r} shows the film {film.film}, and the participant has no view to see it in"
        yield Problem("screen", f"{text}: choose a screen, or the small window")


def results_problems(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    """Return what is wrong with the participant's code, the session's end, and the place of its results."""
    code = choices.participant.strip()
    if code and not is_code(code):
        text = f"Participant {code!r} is not possible; expected letters and digits alone, as in P01"
        yield Problem("participant", text)
    elif not code and choices.mode == "live":
        yield Problem("participant", "Without a participant's code the results do not say whose they are", "note")
    try:
        seconds_in(choices.seconds)
    except RtaffectError as error:
        yield Problem("seconds", in_window(error))
    if choices.headless:
        yield from _headless(choices, found)
    if not choices.folder.strip():
        kind: Kind = "stop" if choices.mode == "live" else "note"
        yield Problem("folder", "Nothing would be kept: choose a folder for the results", kind)
        return
    facts = yield from looked(asks_for(choices).out, found, "folder", "The folder is being looked at")
    if isinstance(facts, FolderFacts):
        yield from _folder(choices, found, facts, persons)


def _headless(choices: Choices, found: Found) -> Iterator[Problem]:
    protocol = found.protocol(choices)
    waits = next((b.name for b in protocol.blocks if b.start == "operator"), None) if protocol else None
    if waits is None or choices.mode == "replay":
        yield Problem("mode", "The opened plan runs without a window: results go to the terminal", "note")
        return
    text = f"The opened plan runs without a window, but block {waits!r} waits for the operator's key"
    yield Problem("protocol", f'{text}: take headless out of the plan, or give the blocks start = "auto"')


def _folder(choices: Choices, found: Found, facts: FolderFacts, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    if not choices.name.strip():
        yield Problem("name", "The new folder of this session has no name: give it one")
    elif any(sign in choices.name for sign in '/\\:*?"<>|') or choices.name.strip() in (".", ".."):
        yield Problem("name", f'{choices.name!r} cannot be the name of a folder: leave out / \\ : * ? " < > |')
    elif facts.holds_session:
        text = f"{choices.out} already holds a session: give another name, nothing is overwritten"
        yield Problem("name", text)
    if facts.free < LEAST_FREE:
        text = f"Only {size(facts.free)} are free for the results, at least {size(LEAST_FREE)} are needed: make room"
        yield Problem("folder", text)
    elif (room := room_s(facts, persons)) < (needed := needed_s(choices, found)):
        message = f"{size(facts.free)} are free, enough for {duration(room)} of these streams, but the session may take"
        yield Problem("folder", f"{message} {duration(needed)}: make room, or choose another disk")


def room_s(facts: FolderFacts, persons: tuple[StreamInfo, ...]) -> float:
    """Return for how long these streams can be recorded, s; a sound of 48 kHz is reckoned with."""
    per_second = _BYTES * (sum(person.rate * len(person.channels) for person in persons) + 48_000)
    return max(0.0, facts.free - LEAST_FREE / 2) / per_second


def needed_s(choices: Choices, found: Found) -> float:
    """Return how long the session takes, s; half an hour where nothing says so."""
    protocol = found.protocol(choices)
    try:
        given = seconds_in(choices.seconds)
    except RtaffectError:
        given = None
    lasts = [float(x) for x in (given, protocol.seconds if protocol else None) if x is not None]
    return min(lasts, default=1800.0)
