"""Plays a film in a process of its own and says when each frame was painted: ``film_child.py PLAYER FILM STARTS OUT``.

PLAYER is ours, qt (QtMultimedia), mpv (libmpv by python-mpv), or ears: what the sound server plays is written to OUT.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from pylsl import local_clock

#: How long each start is watched, and what lies between getting ready and the start, s.
WATCHED_S, READY_S = 2.6, 1.5
SIZE = (320, 180)


def number_in(picture: np.ndarray) -> int:
    """Return the number that is coded in a picture (height, width, channels), as the tests' counted films have it."""
    height, width = picture.shape[:2]
    bits = picture[height // 2, (2 * np.arange(10) + 1) * width // 20, :3].mean(axis=-1) > 127
    return int((bits << np.arange(10)).sum())


def ours(film: Path, starts: int) -> list[dict]:
    from PySide6.QtWidgets import QApplication

    from rtaffect.outputs.film_projector import Projector
    from rtaffect.outputs.programme_player import ProgrammePlayer
    from rtaffect.present.participant_state import ParticipantPresenter
    from rtaffect.stream.sound_reading import read_samples
    from rtaffect.view.participant.window import ParticipantWindow

    application = QApplication([])
    projector = Projector(local_clock)
    window = ParticipantWindow(ParticipantPresenter(film=projector), preview=True)
    window.resize(*SIZE)
    window.start()
    # As of the others it counts when a frame is handed over, and all are asked for that moment.
    projector.lead_s = 0.0
    samples, rate = read_samples(film)
    player = ProgrammePlayer(rate=rate)
    player.start()
    found = []
    for _ in range(starts):
        onset = local_clock() + READY_S
        player.place("film", samples[: round(WATCHED_S * rate)], rate, onset)
        projector.place(film, 1, onset, onset + WATCHED_S)
        until(application.processEvents, onset + WATCHED_S + 0.3)
        shown = projector.take()
        found.append({"asked": onset, "frames": [[f.frame, f.painted] for f in shown]})
    projector.stop()
    player.stop()
    window.close()
    return found


def qt(film: Path, starts: int) -> list[dict]:
    from PySide6.QtCore import QUrl
    from PySide6.QtMultimedia import QAudioOutput, QMediaPlayer, QVideoSink
    from PySide6.QtWidgets import QApplication

    application, found = QApplication([]), []
    for _ in range(starts):
        player, sound, sink, frames = QMediaPlayer(), QAudioOutput(), QVideoSink(), []
        player.setAudioOutput(sound)
        player.setVideoSink(sink)

        def seen(frame, frames=frames) -> None:
            if frame.isValid():
                frames.append([round(frame.startTime() / 40_000), local_clock()])

        sink.videoFrameChanged.connect(seen)
        player.setSource(QUrl.fromLocalFile(str(film)))
        player.pause()
        asked = local_clock() + READY_S
        until(application.processEvents, asked)
        frames.clear()
        player.play()
        until(application.processEvents, asked + WATCHED_S)
        player.stop()
        found.append({"asked": asked, "frames": list(frames)})
        until(application.processEvents, local_clock() + 0.3)
    return found


def mpv(film: Path, starts: int) -> list[dict]:
    import mpv as library

    found = []
    for _ in range(starts):
        player = library.MPV(vo="libmpv", pause=True, audio_client_name="film", hwdec="no", ao="pulse")
        context = library.MpvRenderContext(player, "sw")
        player.play(str(film))
        asked, frames = local_clock() + READY_S, []
        buffer = (ctypes.c_uint8 * (SIZE[0] * SIZE[1] * 4))()
        asked_for = _parameters(library, buffer)
        begun = False
        while local_clock() < asked + WATCHED_S:
            if not begun and local_clock() >= asked:
                player.pause, begun = False, True
            if context.update():
                library._mpv_render_context_render(context._handle, asked_for)
                picture = np.frombuffer(buffer, np.uint8).reshape(SIZE[1], SIZE[0], 4)
                if begun:
                    frames.append([number_in(picture), local_clock()])
            time.sleep(0.001)
        context.free()
        player.terminate()
        found.append({"asked": asked, "frames": frames})
        time.sleep(0.3)
    return found


def _parameters(library, buffer) -> ctypes.Array:
    """Return what mpv's software renderer is to paint, which python-mpv has no names for (mpv/render.h: 17 to 20)."""
    size, stride = (ctypes.c_int * 2)(*SIZE), ctypes.c_size_t(SIZE[0] * 4)
    values = {
        17: ctypes.cast(size, ctypes.c_void_p),
        18: ctypes.cast(ctypes.c_char_p(b"rgb0"), ctypes.c_void_p),
        19: ctypes.cast(ctypes.pointer(stride), ctypes.c_void_p),
        20: ctypes.cast(buffer, ctypes.c_void_p),
    }
    found = (library.MpvRenderParam * 5)()
    for place, (number, value) in enumerate(values.items()):
        found[place].type_id, found[place].data = number, value
    found.kept = (size, stride, buffer)
    return found


def ears(out: Path) -> None:
    """Write what is heard until the file ``stop`` is there."""
    from rtaffect.sources.sound_card import SoundCardSource

    source = SoundCardSource("default", rate=48_000)
    source.start()
    cursor, heard, times = 0, [], []
    while not (out.parent / "stop").exists():
        time.sleep(0.5)
        # The source keeps no more than the last minute or two.
        block = source.buffer.read(cursor, np.inf)
        cursor = block.stop
        heard.append(block.samples[:, 0].copy())
        times.append(block.times.copy())
        if source.status(local_clock()).state == "ok":
            (out.parent / "hears").touch()
    source.stop()
    np.savez(out, samples=np.concatenate(heard), times=np.concatenate(times))


def until(work: Callable[[], object], at: float) -> None:
    while local_clock() < at:
        work()
        time.sleep(0.0005)


if __name__ == "__main__":
    kind, film, starts, out = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    if kind == "ears":
        ears(out)
    else:
        out.write_text(json.dumps({"ours": ours, "qt": qt, "mpv": mpv}[kind](film, starts)))
