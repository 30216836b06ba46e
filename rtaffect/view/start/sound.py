"""What people hear: a file, a device, a stream or a known stimulus, with the level where something is listened to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import QWidget

from rtaffect.plan.setting import Mode
from rtaffect.present.sound_state import SoundLevel
from rtaffect.sources.sound_devices import Direction, SoundDevice
from rtaffect.start.choices import SOUND_KINDS, Choices, SoundKind
from rtaffect.start.devices import text_for
from rtaffect.start.found import Found
from rtaffect.start.start_presenter import StartState
from rtaffect.start.streams import StreamFacts, queries_of
from rtaffect.start.table import sound_lines
from rtaffect.stream.source import StreamHeader
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import row
from rtaffect.view.start.signal import LevelMeter
from rtaffect.view.start.widgets import Card, Choose, PathText, Pick, Text, TickBox, Words, button, for_file

KINDS: dict[SoundKind, str] = {
    "file": "a file, played by rtaffect",
    "protocol": "the protocol's sounds, played by rtaffect",
    "device": "a sound device (microphone, line in)",
    "stream": "an LSL stream of sound",
    "stimulus": "a known stimulus, played by another program",
    "none": "none: people are compared with each other",
}
#: In place of the last, where the protocol plays sounds.
BESIDE = "none but what the protocol plays"
RECORDED: dict[SoundKind, str] = {
    "none": "that of the recording, if it has any",
    "file": "a file of known beginning",
    "stimulus": "a known stimulus, found in the recorded sound",
}
HEARD_BY = (("", "nothing: its marker tells"), ("device", "a sound device"), ("stream", "an LSL stream of sound"))
SOUNDS = "Sound files (*.wav *.flac *.ogg *.mp3 *.m4a *.mp4 *.mkv *.webm *.mov)"


class SoundCard(Card):
    """The fields that belong to the chosen kind of sound."""

    def __init__(self, choose: Choose, look_again: Callable[[], None]) -> None:
        self.kind = Pick(choose, "sound")
        super().__init__("&Sound", heading=self.kind)
        browse = for_file("Sound that people hear", SOUNDS)
        more = "\N{HORIZONTAL ELLIPSIS}"
        self.file = PathText(choose, "sound_file", "sound file", [(more, "Choose a sound file", browse)])
        self.silent = TickBox(choose, "silent")
        self.speaker = Pick(choose, "speaker")
        self.stimulus = PathText(choose, "stimulus", "sound file", [(more, "Choose the stimulus", browse)])
        self.heard_by = Pick(choose, "heard_by", HEARD_BY)
        self.device, self.stream = Pick(choose, "device"), Pick(choose, "sound_stream")
        self.marker = Text(choose, "onset_marker", "text that is sent once")
        self.marker_stream = Pick(choose, "marker_stream")
        self.begun = Text(choose, "sound_start", "s after the recording's start")
        self.in_reference = TickBox(choose, "in_reference")
        self.meter, self.words = LevelMeter(), Words()
        self.trouble = theme.label("", 12, theme.NOTICE)
        self.trouble.setWordWrap(True)
        self.again = [button("Look again", "List the sound devices anew") for _ in range(2)]
        for each in self.again:
            each.clicked.connect(look_again)
        self.rows: dict[str, tuple[QWidget, ...]] = {}
        self._build()

    def _build(self) -> None:
        rows: list[tuple[str, QWidget]] = [
            ("sound_file", self.file),
            ("stimulus", self.stimulus),
            ("speaker", _beside(self.speaker, self.again[0])),
            ("heard_by", self.heard_by),
            ("device", _beside(self.device, self.again[1])),
            ("sound_stream", self.stream),
            ("sound_start", self.begun),
            ("onset_marker", self.marker),
            ("marker_stream", self.marker_stream),
            ("level", self.meter),
        ]
        # What is no setting of its own.
        texts = {"heard_by": "Heard by", "level": "Level"}
        for name, field in rows:
            self.rows[name] = (self.add(name, field, texts.get(name, "")), field)
        self.add_wide(self.silent)
        self.add_wide(self.in_reference)
        self.rows |= {"silent": (self.silent,), "in_reference": (self.in_reference,)}
        self.add_wide(self.trouble)
        self.add_wide(self.words)

    def show_state(self, state: StartState) -> None:
        """Show the fields of the chosen kind, with what there is to choose from."""
        choices, found = state.choices, state.found
        protocol = found.protocol(choices)
        plays = protocol is not None and any(block.sound or block.film for block in protocol.blocks)
        self.kind.set_options(_kinds(choices.mode, plays))
        devices = found.devices or ()
        self.device.set_options(_devices(devices, "input"))
        self.speaker.set_options(_devices(devices, "output"))
        self.stream.set_options(_streams(choices, found))
        self.marker_stream.set_options(_markers(choices, found))
        # The kind of sound is the one that holds in this mode.
        self.show_choices(replace(choices, sound=choices.sound_kind))
        shown = _shown(choices, plays)
        for name, parts in self.rows.items():
            for part in parts:
                part.setVisible(name in shown)
        self.words.show_lines(sound_lines(choices, found))

    def show_level(self, level: SoundLevel | None, trouble: str) -> None:
        """Show how loud it is, and what is wrong."""
        if level is not None:
            self.meter.show_level(level)
        theme.set_text(self.trouble, f"\N{BLACK UP-POINTING TRIANGLE} {trouble}" if trouble else "")
        if self.trouble.isHidden() == bool(trouble):
            self.trouble.setVisible(bool(trouble))


def _kinds(mode: Mode, protocol_plays: bool) -> list[tuple[SoundKind, str]]:
    said = RECORDED if mode == "replay" else KINDS | ({"none": BESIDE} if protocol_plays else {})
    return [(kind, said[kind]) for kind in SOUND_KINDS[mode] if kind in said]


def _shown(choices: Choices, protocol_plays: bool) -> set[str]:
    kind, listens = choices.sound_kind, choices.listens_by
    if choices.mode == "replay":
        file = {"sound_file", "sound_start", "onset_marker", "in_reference"}
        names = {"file": file, "stimulus": {"stimulus"}}.get(kind, set())
    else:
        names = {"file": {"sound_file"}, "stimulus": {"stimulus", "onset_marker", "heard_by"}}.get(kind, set())
        plays = kind in ("file", "protocol") or (choices.may_play and protocol_plays)
        names |= {"silent"} if plays else set()
        names |= {"speaker"} if plays and not choices.silent else set()
        names |= {"sound_stream" if listens == "stream" else listens, "level"} if listens else set()
    return names | ({"marker_stream"} if "onset_marker" in names and choices.onset_marker.strip() else set())


def _devices(devices: tuple[SoundDevice, ...], direction: Direction) -> list[tuple[Any, str]]:
    default = next((d.name for d in devices if (d.default_input if direction == "input" else d.default_output)), "")
    describe = f"the system's: {default}" if default else "the system's"
    return [("", describe)] + [
        (text_for(devices, device, direction), f"{device.name} ({device.host_api})")
        for device in devices
        if device.channels(direction)
    ]


def _streams(choices: Choices, found: Found) -> list[tuple[Any, str]]:
    sounding = [stream for stream in found.streams if stream.header.type.casefold() == "audio"]
    offered = _offered(sounding, choices.sound_stream, lambda h: f"{h.name} ({h.rate:g} Hz, {h.host})")
    return [("", "choose one" if sounding else "none of type Audio answers"), *offered]


def _markers(choices: Choices, found: Found) -> list[tuple[Any, str]]:
    senders = [stream for stream in found.streams_for(choices) if stream.header.format == "string"]
    return [
        ("", "the one of type Markers"),
        *_offered(senders, choices.marker_stream, lambda h: f"{h.name} ({h.host})"),
    ]


def _offered(streams: list[StreamFacts], held: str, describe: Callable[[StreamHeader], str]) -> list[tuple[Any, str]]:
    """Return a query for each stream, and what is said of it; a query that is chosen and means it stays."""
    queries = queries_of(Choices(streams=(held,)))
    meant = [stream for stream in streams if stream.meets(queries)]
    offered = []
    for stream in streams:
        header = stream.header
        own = f"source_id={header.source_id}" if header.source_id else f"name={header.name}"
        offered.append((held if meant == [stream] else own, describe(header)))
    return offered


def _beside(field: QWidget, other: QWidget) -> QWidget:
    both = QWidget()
    row((field, 1), other, of=both, spacing=4)
    both.setFocusProxy(field)
    return both
