"""What prevents a session from hearing what people hear."""

from __future__ import annotations

from collections.abc import Iterator

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.sources.channel_plan import check_format, check_rate, plan_audio
from rtaffect.sources.selection import ANY_MARKERS, Query
from rtaffect.sources.sound_devices import Direction
from rtaffect.start.choices import Choices
from rtaffect.start.devices import choose
from rtaffect.start.fields import start_in
from rtaffect.start.fit import reference_troubles
from rtaffect.start.found import Found, RecordingFacts, SoundFacts, asks_for
from rtaffect.start.problem import Problem, looked
from rtaffect.start.streams import ticked
from rtaffect.start.wording import in_window
from rtaffect.stream.markers import Marker, onset_from
from rtaffect.stream.source import StreamInfo


def sound_problems(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    """Return what is wrong with the sound of a live session or replay."""
    if choices.sound_kind in ("file", "stimulus"):
        yield from _file(choices, found)
    protocol = found.protocol(choices)
    if protocol and protocol.feedback.show == "tone":
        yield from _device(found, choices.tone_device, "output", "tone_device")
    if choices.mode == "replay":
        yield from _recorded(choices, found, persons)
    else:
        yield from _live(choices, found)


def _live(choices: Choices, found: Found) -> Iterator[Problem]:
    kind = choices.sound_kind
    if kind == "stimulus":
        yield from _told_by(choices, found)
    if kind == "protocol":
        yield from _protocol(choices, found)
    elif kind in ("file", "stimulus") and protocol_plays(choices, found):
        text = "The protocol plays sounds of its own: choose 'the protocol's sounds', or another protocol"
        yield Problem("sound", text)
    if choices.listens_by == "device":
        yield from _device(found, choices.device, "input", "device")
    if choices.listens_by == "stream":
        yield from _stream(choices, found)
    if choices.plays and (kind in ("file", "protocol") or protocol_plays(choices, found)):
        yield from _device(found, choices.speaker, "output", "speaker")


def _recorded(choices: Choices, found: Found, persons: tuple[StreamInfo, ...]) -> Iterator[Problem]:
    """Say what is wrong with where the sound is in a recording."""
    facts = found.get(asks_for(choices).recording)
    if not isinstance(facts, RecordingFacts):
        return
    if choices.sound_kind == "stimulus":
        if not any(s.header.type.casefold() == "audio" and not s.is_empty for s in facts.streams):
            text = (
                "The recording has no sound to find the stimulus in: choose 'a file of known beginning', and give its "
                "marker or time"
            )
            yield Problem("stimulus", text)
    elif choices.sound_kind == "file":
        yield from _placed(choices, found, facts)
        if choices.in_reference and len(persons) > 1:
            text = f"{len(persons)} people are replayed: who is part of the reference can be left out alone only"
            yield Problem("in_reference", f"{text}: tick one stream")
        if choices.in_reference and (without := reference_troubles(choices, found)):
            yield Problem("in_reference", f"{without[0]}, or do not leave the person out of the reference")


def _placed(choices: Choices, found: Found, facts: RecordingFacts) -> Iterator[Problem]:
    """Say whether it is known when the sound began, and whether that lies in the recording."""
    marker, sound = choices.onset_marker.strip(), found.get(asks_for(choices).sound)
    spans = [stream.span for stream in ticked(choices, facts.streams) if stream.span is not None]
    where = "onset_marker" if marker else "sound_start"
    if marker and choices.sound_start.strip():
        yield Problem(where, "When the file began is told twice, by its time and by a marker: give one of them")
        return
    if not spans:
        return
    start = min(span.first for span in spans)
    try:
        begun = start_in(choices.sound_start) or 0.0
        if marker:
            begun = onset_from(_recorded_markers(choices, facts), marker) - start
    except RtaffectError as error:
        yield Problem(where, in_window(error))
        return
    length = max(span.last for span in spans) - start
    if isinstance(sound, SoundFacts) and not -sound.seconds < begun < length:
        text = f"The sound ({sound.seconds:.1f} s) would begin at {begun:.1f} s, outside the recording"
        yield Problem(where, f"{text} (0 to {length:.1f} s): correct when it began")


def _recorded_markers(choices: Choices, facts: RecordingFacts) -> tuple[Marker, ...]:
    query = Query.parse(choices.marker_stream) if choices.marker_stream.strip() else ANY_MARKERS
    senders = [stream for stream in facts.streams if stream.meets([query]) and stream.header.uid in facts.markers]
    senders = [stream for stream in senders if facts.markers[stream.header.uid]] or senders
    if len(senders) != 1:
        raise SettingsError(
            f"the recording has {len(senders)} streams of markers with {query.describe()}, expected one: choose it"
        )
    return facts.markers[senders[0].header.uid]


def _file(choices: Choices, found: Found) -> Iterator[Problem]:
    where = "sound_file" if choices.sound_kind == "file" else "stimulus"
    ask = asks_for(choices).sound
    if ask is None:
        yield Problem(where, "No sound file is chosen: choose the one that people hear")
    yield from looked(ask, found, where, "The sound file is being read")


def _told_by(choices: Choices, found: Found) -> Iterator[Problem]:
    """Say whether it can be told where in the stimulus people are."""
    marker = choices.onset_marker.strip()
    if not marker and not choices.heard_by:
        text = (
            "Another program plays the stimulus: give the marker that it sends when it begins, or choose what hears it"
        )
        yield Problem("onset_marker", text)
    if marker:
        yield from _markers(choices, found)


def _markers(choices: Choices, found: Found) -> Iterator[Problem]:
    try:
        query = Query.parse(choices.marker_stream) if choices.marker_stream.strip() else ANY_MARKERS
    except SettingsError as error:
        yield Problem("marker_stream", in_window(error))
        return
    senders = [stream.header for stream in found.streams if stream.meets([query])]
    if not senders:
        text = f"No stream of markers with {query.describe()} answers: start the program that plays the stimulus"
        yield Problem("marker_stream", text)
    elif len(senders) > 1:
        names = " and ".join(f"{s.name!r} ({s.source_id or s.host})" for s in senders)
        text = f"{len(senders)} streams of markers answer, {names}: name the right one, as in source_id=..."
        yield Problem("marker_stream", text)


def protocol_plays(choices: Choices, found: Found) -> bool:
    """Return whether the protocol has sounds or films of its own."""
    protocol = found.protocol(choices)
    return protocol is not None and any((block.stimulus or block.film) is not None for block in protocol.blocks)


def _protocol(choices: Choices, found: Found) -> Iterator[Problem]:
    if not choices.protocol.strip():
        yield Problem("protocol", "The sound is to be the protocol's, but none is chosen: choose one, or another sound")
    elif found.protocol(choices) is not None and not protocol_plays(choices, found):
        yield Problem("sound", "The protocol plays no sound: choose what people hear, or no sound at all")


def _device(found: Found, wanted: str, direction: Direction, where: str) -> Iterator[Problem]:
    if found.devices is None:
        yield Problem(where, "The sound devices are being looked for", "wait")
    elif found.devices_trouble:
        yield Problem(where, found.devices_trouble)
    else:
        try:
            choose(found.devices, wanted, direction)
        except RtaffectError as error:
            yield Problem(where, in_window(error))


def _stream(choices: Choices, found: Found) -> Iterator[Problem]:
    where = "sound_stream"
    if not choices.sound_stream.strip():
        yield Problem(where, "No stream of sound is chosen: choose one, or another kind of sound")
        return
    try:
        query = Query.parse(choices.sound_stream)
        senders = [stream for stream in found.streams if stream.meets([query])]
        for header in (stream.header for stream in senders):
            dtype = check_format(header)
            check_rate(header.name, "audio", header.rate, None)
            plan_audio(header.name, header.channels, dtype)
    except RtaffectError as error:
        yield Problem(where, in_window(error))
        return
    if not senders:
        yield Problem(where, f"No stream of sound with {query.describe()} answers: start the program that sends it")
    elif len(senders) > 1:
        yield Problem(where, f"{len(senders)} streams have the {query.describe()}: choose one by its source_id")
