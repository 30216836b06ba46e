"""Draws a ring from the results of a running rtaffect session with PsychoPy, on any computer of the lab's network.

    python psychopy_ring.py [--source-id ID] [--screen 1] [--preview]

It needs psychopy and pylsl, and nothing of rtaffect. Esc ends it. What the ring shows is decided here, by ``level_of``:
this is your own feedback, which rtaffect's protocol, arms and recording know nothing of.
"""

from __future__ import annotations

import argparse
import math
import time

import pylsl

STREAM = "rtaffect-feedback"
#: The rows whose synchrony is fed back: the mean over rows; or a row's name, as in "frontal lh".
ROW = "mean"
#: The ring is full at this correlation; it is empty inside the null band, where a value is noise.
FULL = 0.4
#: Whether only trusted values count. Where nothing is predicted (no bundle), none is trusted: choose False.
ONLY_TRUSTED = True
#: A value older than this is no longer shown, s.
STALE_S = 3.0
#: The drawn level follows the newest one with this time constant, s.
GLIDE_S = 0.8

BACKGROUND, TRACK, FILLED, NEUTRAL = "#0f1318", "#26303b", "#74b9dd", "#1b222a"


def find_stream(source_id: str = "", wait_s: float = 2.0) -> pylsl.StreamInfo:
    """Return the one stream of feedback on the network, or that with this ``source_id``; else exit with the reason."""
    found = [s for s in pylsl.resolve_streams(wait_time=wait_s) if s.name() == STREAM]
    chosen = [s for s in found if source_id in ("", s.source_id())]
    if len(chosen) == 1:
        return chosen[0]
    there = "; ".join(f"{s.source_id()} on {s.hostname()}" for s in found) or "none"
    raise SystemExit(f"expected one stream {STREAM!r}, found: {there}. Start the session, or choose with --source-id")


def labels_of(info: pylsl.StreamInfo) -> list[str]:
    """Return the channels' labels, in the order of a sample's values."""
    found, channel = [], info.desc().child("channels").child("channel")
    while not channel.empty():
        found.append(channel.child_value("label"))
        channel = channel.next_sibling("channel")
    return found


class Results:
    """The newest step of a session: ``values`` by channel label, empty until the first one comes."""

    def __init__(self, stream: pylsl.StreamInfo) -> None:
        self.inlet = pylsl.StreamInlet(stream)
        info = self.inlet.info(timeout=5.0)
        self.labels = labels_of(info)
        self.bundle = info.desc().child("rtaffect").child_value("bundle_sha256")
        self.inlet.open_stream(timeout=5.0)
        self.values: dict[str, float] = {}
        self.stamp = self.came = -math.inf

    def update(self) -> bool:
        """Take what has come, without waiting; return whether there was anything."""
        samples, stamps = self.inlet.pull_chunk(timeout=0.0)
        if not stamps:
            return False
        self.values = dict(zip(self.labels, samples[-1], strict=True))
        self.stamp, self.came = stamps[-1], time.monotonic()
        return True

    @property
    def age_s(self) -> float:
        """Seconds since the newest step came; by this computer's clock, because a replay has the times of then."""
        return time.monotonic() - self.came


def level_of(values: dict[str, float], row: str = ROW) -> float | None:
    """Return how full the ring is, 0 to 1: from the null band's upper end to ``FULL``; None for no value to show."""
    observed = values.get(f"observed/{row}", math.nan)
    noise = values.get(f"null_high/{row}", math.nan)
    trusted = values.get(f"trusted/{row}", 0.0)
    if math.isnan(observed) or not noise < FULL or (ONLY_TRUSTED and not trusted):
        return None
    return min(max((observed - noise) / (FULL - noise), 0.0), 1.0)


def make_ring(win):
    """Return the ring's parts, from back to front: the track, the filled part, and the hole."""
    from psychopy import visual

    track = visual.Circle(win, radius=0.25, edges=128, lineWidth=0, fillColor=TRACK)
    filled = visual.Pie(win, radius=0.25, start=0, end=0, edges=128, lineWidth=0, colorSpace="rgb")
    # PsychoPy 2026.2.5 makes a Pie grey whatever fillColor it is made with.
    filled.fillColor = FILLED
    hole = visual.Circle(win, radius=0.21, edges=128, lineWidth=0, fillColor=BACKGROUND)
    return track, filled, hole


def draw_ring(ring, level: float | None) -> None:
    """Draw the ring: clockwise from the top, dark and empty where there is no level."""
    track, filled, hole = ring
    track.fillColor = NEUTRAL if level is None else TRACK
    track.draw()
    if level is not None:
        filled.end = 360 * max(level, 0.01)
        filled.draw()
    hole.draw()


def main() -> None:
    """Draw until Esc is pressed."""
    parser = argparse.ArgumentParser(description="Draw a ring from a running rtaffect session.")
    parser.add_argument("--source-id", default="", help="the session's stream, where there are several")
    parser.add_argument("--screen", type=int, default=0, help="number of the screen, from 0")
    parser.add_argument("--preview", action="store_true", help="a small window in place of the full screen")
    options = parser.parse_args()
    results = Results(find_stream(options.source_id))
    print("bundle:", results.bundle or "none")

    from psychopy import core, event, visual

    win = visual.Window(
        size=(640, 480), fullscr=not options.preview, screen=options.screen, allowGUI=options.preview,
        color=BACKGROUND, units="height",
    )  # fmt: skip
    win.mouseVisible = options.preview
    ring, clock, shown = make_ring(win), core.Clock(), None
    while not event.getKeys(keyList=["escape"]):
        results.update()
        level = level_of(results.values) if results.age_s < STALE_S else None
        follow = 1 - math.exp(-clock.getTime() / GLIDE_S)
        clock.reset()
        shown = level if level is None or shown is None else shown + follow * (level - shown)
        draw_ring(ring, shown)
        win.flip()
    win.close()
    core.quit()


if __name__ == "__main__":
    main()
