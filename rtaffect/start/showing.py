"""Which stream and which sound are shown as they are now, and what is learnt from opening them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pylsl import local_clock

from rtaffect.common.errors import RtaffectError, StreamError, field_of
from rtaffect.present.sound_state import HOLD_S, SoundLevel, sound_level
from rtaffect.present.trace_state import SourceTraces
from rtaffect.sources.boards import open_board
from rtaffect.sources.channel_plan import plan_of
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import FoundStream
from rtaffect.sources.selection import undescribed
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.start.background import NetworkWatch
from rtaffect.start.choices import Choices
from rtaffect.start.devices import choose
from rtaffect.start.found import Found, RecordingFacts, Trouble, asks_for
from rtaffect.start.of_stream import NAMES
from rtaffect.start.preview import COLUMNS, SHOWN_S, Preview, Signal, SoundRoom, signal_of, unit_warning
from rtaffect.start.streams import StreamFacts, given_of, queries_of
from rtaffect.start.table import StreamRow
from rtaffect.start.wording import in_window
from rtaffect.stream.source import Source, StreamInfo


class Previews:
    """The signal of the selected line of the table, and the level of the chosen sound.

    The streams are opened by what ``network`` knows of them.
    """

    def __init__(self, network: NetworkWatch) -> None:
        self._network = network
        self._boards: dict[str, StreamInfo | Trouble] = {}
        self.eeg, self.room = Preview("start preview"), SoundRoom()
        self._traces: SourceTraces | None = None

    def show(self, row: StreamRow | None, choices: Choices, found: Found) -> None:
        """Show the selected line and the chosen sound of a live session, and nothing in the other modes."""
        stream = row.stream if row is not None and choices.mode == "live" else None
        instead = tuple(getattr(choices, name) for name in ("headsets", *NAMES))
        if row is not None and row.key[0] == "board":
            self.eeg.show((row.key, *instead), lambda: self._open_board(row.key[1], choices))
        elif stream is not None:
            self.eeg.show((stream.header.uid, *instead), lambda: self._open_eeg(stream, choices))
        elif row is None or row.query is None:
            # The source of a stream that is gone stays open: it says so, and comes back by itself.
            self.eeg.show(None, None)
        key, opener = self._sound(choices, found)
        self.room.preview.show(key, opener)

    def boards_now(self, row: StreamRow | None) -> dict[str, StreamInfo | Trouble]:
        """Return what is known of the boards: that of the selected one is learnt by opening it."""
        shown = self.eeg.shown
        if row is None or row.key[0] != "board" or not isinstance(shown.key, tuple) or shown.key[0] != row.key:
            return self._boards
        found: StreamInfo | Trouble | None = (
            Trouble(in_window(shown.trouble), field_of(shown.trouble)) if shown.trouble else None
        )
        if shown.source is not None:
            found = shown.source.info
        if found is not None and found != self._boards.get(row.key[1]):
            self._boards = {**self._boards, row.key[1]: found}
        return self._boards

    def signal(self, row: StreamRow | None) -> tuple[Signal | None, str]:
        """Return the newest seconds of the selected stream, and what is wrong with it, in words ('' for nothing)."""
        shown = self.eeg.shown
        if row is None or shown.key is None:
            return None, ""
        if shown.source is None:
            return None, in_window(shown.trouble)
        now, source = local_clock(), shown.source
        if self._traces is None or self._traces.source is not source:
            self._traces = SourceTraces(source, COLUMNS, SHOWN_S)
        self._traces.take(now)
        # The session's readers do not notice.
        times, values = source.buffer.tail(SHOWN_S)
        names = source.info.channels
        warning = unit_warning(names, values[times > now - SHOWN_S])
        found = Signal(names, self._traces.traces, self._traces.lane, warning)
        return found, in_window(_trouble(source, now) or warning)

    def loudness(self) -> tuple[SoundLevel | None, str]:
        """Return how loud the chosen sound is now, None where none is listened to, and what is wrong with it."""
        shown = self.room.preview.shown
        if shown.key is None:
            return None, ""
        if shown.source is None:
            return SoundLevel(), in_window(shown.trouble)
        now = local_clock()
        level = sound_level(*shown.source.buffer.tail(HOLD_S), now)
        return level, in_window(_trouble(shown.source, now))

    def stop(self) -> None:
        """Close what is open."""
        self.eeg.stop()
        self.room.preview.stop()

    def _handle(self, stream: StreamFacts) -> FoundStream:
        header = stream.header
        handle = self._network.handle(header.uid)
        if handle is None:
            raise StreamError(f"stream {header.name!r} on {header.host} does not answer any more: start it again")
        return handle

    def _open_eeg(self, stream: StreamFacts, choices: Choices) -> Source:
        return LslSource(self._handle(stream), **given_of(choices, stream.header))

    def _open_board(self, text: str, choices: Choices) -> Source:
        return open_board(text, **given_of(choices, undescribed(text), text))

    def _sound(self, choices: Choices, found: Found) -> tuple[object, Callable[[], Source] | None]:
        """Return what the level meter listens to: a key and what opens it."""
        if choices.listens_by == "device":
            try:
                device = choose(found.devices or (), choices.device, "input")
            except RtaffectError:
                return None, None
            return ("device", device), lambda: SoundCardSource(device.index)
        if choices.listens_by == "stream" and choices.sound_stream.strip():
            queries = queries_of(replace(choices, streams=(choices.sound_stream,)))
            stream = next((s for s in found.streams if s.meets(queries)), None)
            if stream is not None:
                return ("stream", stream.header.uid), lambda: LslSource(self._handle(stream), kind="audio")
        return None, None


def glimpse(row: StreamRow | None, choices: Choices, found: Found) -> tuple[Signal | None, str]:
    """Return some seconds from the middle of the selected stream of a recording, and what is wrong with it."""
    facts = found.get(asks_for(choices).recording)
    if row is None or row.stream is None or not isinstance(facts, RecordingFacts):
        return None, ""
    header, values = row.stream.header, facts.glimpses.get(row.stream.header.uid)
    try:
        given = given_of(choices, header)
        rate, plan = given.get("rate") or header.rate, plan_of(header, given)
    except RtaffectError as error:
        return None, in_window(error)
    if values is None or not len(values) or not rate > 0:
        return None, "the recording has no samples of it"
    made = signal_of(plan.names, plan.apply(values), rate)
    return made, in_window(made.unit_warning)


def _trouble(source: Source, now: float) -> str:
    status = source.status(now)
    return "" if status.state in ("ok", "waiting") else status.message
