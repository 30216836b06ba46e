"""Sound from a microphone or line input through PortAudio, stamped with its ADC time on the LSL clock."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import SoundError
from rtaffect.sources.channel_plan import MOST_SOUND_CHANNELS, plan_audio
from rtaffect.sources.sound_devices import SoundDevice, choose_sound_device, supported_rates
from rtaffect.sources.stream_clock import StreamClock
from rtaffect.sources.stream_keeper import Kept, StreamKeeper
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

#: No block for this long is a stall, s.
STALL_S: Final = 1.0
#: Sound servers may take this long until the first block, s.
START_S: Final = 5.0
#: Sound is used when its age on arrival has been normal for this long, s. Sound servers begin with a second or two in
#: which they report ages that are wrong by tenths of a second, and the first stamp is the origin of the timebase.
SETTLE_S: Final = 1.0
#: An age above the declared latency by more than this is not normal at the start, s.
SETTLED_AGE_S: Final = 0.1
#: Nor is it normal that stamps creep against the count of samples by more than this while they settle, s.
SETTLED_CREEP_S: Final = 0.02
#: Where ages do not become normal, sound is used after this long all the same, s.
UNSETTLED_S: Final = 10.0
#: An ADC time that lies further than this before the callback is taken for none, s.
OLDEST_ADC_S: Final = 5.0


class SoundCardSource:
    """A live sound input: its channels averaged, float32 with full scale +-1, at the device's own rate.

    The callback writes straight into the :class:`SampleBuffer`. Filter and copy take about a tenth of a millisecond,
    and the reader holds the lock for as little; a hand-over ring and a thread to drain it would wait for the same
    interpreter lock, take a second copy and give one more place to lose sound. PortAudio's own buffer bridges longer
    waits, and what it loses is counted.

    Parameters
    ----------
    device
        Index or part of the name of the device; None takes the system's default input.
    rate
        Hz; None takes the device's default.
    channels
        How many of its first channels are averaged, one or two; None takes two where there are as many.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing, the device is ambiguous, or it does not support the format.

    Attributes
    ----------
    header : StreamHeader
        What a recording says of it.
    tap : Tap or None
        Gets the channels as they come, and their times on the LSL clock; to be set before :meth:`start`.
    """

    def __init__(self, device: int | str | None = None, rate: float | None = None, channels: int | None = None) -> None:
        self.device = choose_sound_device(device, "input")
        self._rate = float(rate or self.device.rate)
        self._most = min(MOST_SOUND_CHANNELS, self.device.inputs)
        self._channels = channels or self._most
        self._require_format()
        name, host, source_id = self.device.name, socket.gethostname(), f"{self.device.host_api}:{self.device.name}"
        self.info = StreamInfo(name, "audio", self._rate, ("mono",), "soundcard", source_id, host)
        labels = tuple(f"in {n + 1}" for n in range(self._channels))
        header = StreamHeader(name, "Audio", self._rate, "float32", labels, source_id=source_id, host=host)
        self.header = header.uniform()
        self.tap: Tap | None = None
        self.buffer = SampleBuffer(self._rate, 1)
        self._plan = plan_audio(self.device.name, self._channels, np.dtype(np.float32))
        self.overflows = self.losses = 0
        self._latency_s = 0.0
        self._started = self._newest_block = math.nan
        self._loss = ""
        self._without_adc_time = 0
        self._stopping = False
        kept = Kept(self._make, f"at {self._rate:g} Hz", "device or rate", self._on_loss, self._on_return)
        self._keeper = StreamKeeper(self.device, "input", kept, any_default=device is None)
        self._begin_stream()

    def _require_format(self) -> None:
        device = self.device.describe()
        if not 1 <= self._channels <= self._most:
            raise SoundError(f"{self._channels} channels of sound device {device}: expected 1 to {self._most}")
        if not supported_rates(self.device, "input", self._channels, (self._rate,)):
            rates = ", ".join(f"{r:g}" for r in supported_rates(self.device, "input", self._channels))
            raise SoundError(
                f"sound device {device} cannot run at {self._rate:g} Hz; "
                f"expected one of {rates or 'none that is common: is it in use by another program?'}"
            )

    def _begin_stream(self) -> None:
        self._clock, self._settled = StreamClock(), False
        self._first_block = self._unsettled = self._origin = math.nan
        self._frames = 0

    def start(self) -> None:
        """Open the device and begin to deliver, as soon as the times of the sound have settled."""
        self._started = local_clock()
        try:
            self._keeper.start()
        except SoundError:
            self.stop()
            raise

    def _make(self, sd: Any, device: SoundDevice, finished: Callable[[], None]) -> Any:
        self._begin_stream()
        stream = sd.InputStream(
            samplerate=self._rate,
            device=device.index,
            channels=self._channels,
            dtype="float32",
            callback=self._on_block,
            finished_callback=finished,
        )
        self._latency_s = float(stream.latency)
        return stream

    def _on_loss(self, words: str) -> None:
        self.losses += 1
        self._loss = words

    def _on_return(self) -> None:
        self.device = self._keeper.device
        self.buffer.begin_segment()
        if self.tap is not None:
            self.tap.segment()

    def advance(self, until: float) -> None:
        """Do nothing: the device delivers by itself."""

    def _on_block(self, data: NDArray[np.float32], frames: int, time_info: Any, status: Any) -> None:
        now = local_clock()
        self._keeper.beat()
        self._clock.note(time_info.currentTime, now)
        self._newest_block = now
        if status.input_overflow:
            # PortAudio does not say how much was lost, so the times must start anew.
            self.overflows += 1
            self.buffer.begin_segment()
            if self.tap is not None:
                self.tap.segment()
        first = self._adc_time(time_info, now)
        self._settled = self._settled or self._settles(now, first)
        self._frames += frames
        if self._settled:
            stamps = first + np.arange(frames) / self._rate
            if self.tap is not None:
                self.tap.samples(stamps, data)
            self.buffer.push(self._plan.apply(data), stamps)

    def _settles(self, now: float, first: float) -> bool:
        """Return whether the times of the sound can be relied on, with a block at ``now`` whose first is ``first``."""
        origin = first - self._frames / self._rate
        if math.isnan(self._first_block):
            self._first_block, self._origin = now, origin
            self._unsettled = now
        creeps = not self._without_adc_time and abs(origin - self._origin) > SETTLED_CREEP_S
        if creeps or now - first > self._latency_s + SETTLED_AGE_S:
            self._unsettled, self._origin = now, origin
        return now - self._unsettled >= SETTLE_S or now - self._first_block >= UNSETTLED_S

    def _adc_time(self, time_info: Any, now: float) -> float:
        """Return when the first sample of the block was taken, s on the LSL clock."""
        age = time_info.currentTime - time_info.inputBufferAdcTime
        if time_info.inputBufferAdcTime > 0 and -self._latency_s <= age <= OLDEST_ADC_S:
            return self._clock.to_lsl(time_info.inputBufferAdcTime)
        self._without_adc_time += 1
        return now - self._latency_s

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        notes = [message] if message else []
        if self.losses and state != "lost":
            notes.append(f"the device was gone {self.losses} time{'s' if self.losses > 1 else ''}, and is back")
        if self.overflows:
            notes.append(f"sound was lost {self.overflows} times because the computer was too busy (input overflow)")
        if self._without_adc_time:
            notes.append(
                f"the driver gave no ADC time for {self._without_adc_time} blocks: their times come from the "
                f"callback less {self._latency_s * 1e3:.0f} ms of declared latency, and are less certain"
            )
        return self.buffer.status(self.info.name, "audio", state, now, "; ".join(notes))

    def _state(self, now: float) -> tuple[StreamState, str]:
        if self._stopping:
            return "ended", ""
        if self._keeper.lost:
            return "lost", self._loss
        if math.isnan(self._newest_block):
            late = now - self._started > START_S
            return ("stalled", f"no sound {now - self._started:.1f} s after the start") if late else ("waiting", "")
        if now - self._newest_block > STALL_S:
            return "stalled", f"no sound for {now - self._newest_block:.1f} s"
        return ("ok" if self._settled else "waiting"), ""

    def stop(self) -> None:
        """Stop delivering and release the device; may be called twice."""
        self._stopping = True
        self._keeper.stop()
