"""Pictures of every window in each of its states: ``python -m tests.screenshots --out DIR``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# Before anything loads liblsl, which then stays on this computer.
from PySide6.QtWidgets import QApplication

import tests.conftest  # noqa: F401
from rtaffect.engine.feedback import Feedback
from rtaffect.present.participant_state import ParticipantPresenter, ParticipantState
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.slider_state import Slider
from rtaffect.sources.slider import SliderSource
from rtaffect.view.participant.window import ParticipantWindow
from rtaffect.view.show import SessionWindow, grab
from tests.support.fake_affect import with_affect
from tests.support.fake_feedback import (
    BLOCKS,
    CHANNELS,
    PEOPLE,
    FakeRecording,
    FakeRows,
    component_rows,
    fake_protocol_step,
    fake_session,
    fake_sources,
    fake_zones,
    region_rows,
)
from tests.support.fake_rated import SCALE, fake_rated_session

SMALLEST, LARGE = (1180, 660), (1920, 1080)
BANNER = "synthetic participants: a demonstration, not people"
PAGES = ("curves", "map", "signals", "agreement", "measures")
RATED = (*PAGES, "plane")
BROKEN = FakeRecording(free_bytes=120_000_000, lost=512, trouble="the disk is full: free some space")


def picture(
    path: Path,
    *,
    size: tuple[int, int] = (1280, 720),
    page: str = "curves",
    steps: int = 0,
    rows: tuple[str, ...] | FakeRows = CHANNELS,
    people: tuple[str, ...] = PEOPLE,
    lost: str | None = None,
    banner: str | None = None,
    late_s: float = 0.4,
    chosen: int = 8,
    ended: str | None = None,
    protocol: bool = False,
    recording: FakeRecording | None = None,
    live: bool = True,
    keys: str = "",
) -> None:
    """Write one picture of a page of the window after ``steps`` steps; ``keys`` are actions done before it."""
    presenter = Presenter()
    now = 1000.0 + steps + late_s
    if protocol:
        presenter.plan(BLOCKS)
    for feedback in fake_session(steps, rows=rows, people=people, lost=lost, measured=page == "measures"):
        presenter.add(feedback)
        if protocol:
            presenter.add_protocol_step(fake_protocol_step(feedback.step))
    if protocol and not steps:
        presenter.add_protocol_step(fake_protocol_step(0))
    if steps:
        presenter.select(chosen)
    if ended:
        presenter.end(ended)
    channels = rows.channels if isinstance(rows, FakeRows) else rows
    sources = fake_sources(people, channels, until=now) if live and steps else []
    window = SessionWindow(
        presenter,
        title="listening 1",
        banner=banner,
        on_close=lambda: None,
        now=lambda: now,
        sources=sources,
        on_go=(lambda: None) if protocol else None,
        on_skip=(lambda: None) if protocol else None,
        on_marker=lambda text: None,
        recording=(lambda: recording) if recording is not None else None,
        blinded=protocol,
        zones=fake_zones(),
    )
    window.resize(*size)
    window.show()
    window.show_page(PAGES.index(page))
    window.tick()
    actions = window._actions()
    for key in keys.split():
        actions[key]()
    for _ in range(3):
        window.tick()
        QApplication.processEvents()
    grab(window, path)
    window.close()
    window.deleteLater()
    print(path)


def states(out: Path) -> None:
    """Write every page without data, running, and with a fault."""
    record = FakeRecording()
    for page in PAGES:
        picture(out / f"{page}-no-data.png", page=page, protocol=True, recording=record)
        picture(out / f"{page}-running.png", page=page, steps=284, banner=BANNER, protocol=True, recording=record)
        picture(out / f"{page}-fault.png", page=page, steps=190, lost="Muse-27C0", recording=BROKEN)
        picture(out / f"{page}-1920.png", page=page, steps=284, size=LARGE, protocol=True, recording=record)
        picture(out / f"{page}-smallest.png", page=page, steps=284, size=SMALLEST, banner=BANNER, protocol=True)


def rows(out: Path) -> None:
    """Write the pages with regions, components, many channels, and few or many people."""
    wide, narrow, pair = region_rows(64), region_rows(32), PEOPLE[:2]
    region, group = wide.rows.index("rostralanteriorcingulate-lh"), wide.rows.index("limbic")
    for page in PAGES:
        picture(out / f"{page}-regions.png", page=page, steps=284, rows=wide, people=pair, chosen=1, protocol=True)
        picture(out / f"{page}-two-people.png", page=page, steps=284, people=pair)
        picture(out / f"{page}-components.png", page=page, steps=284, rows=component_rows(), chosen=0)
    picture(out / "map-regions-region.png", page="map", steps=284, rows=wide, people=pair, chosen=region, keys="level")
    picture(out / "map-regions-group.png", page="map", steps=284, rows=wide, people=pair, chosen=group, keys="level")
    picture(out / "map-regions-predicted.png", page="map", steps=284, rows=wide, people=pair, keys="predicted")
    picture(out / "map-regions-difference.png", page="map", steps=284, rows=wide, people=pair, keys="difference level")
    picture(out / "map-regions-1920.png", page="map", steps=284, rows=wide, people=pair, size=LARGE, chosen=group)
    picture(
        out / "map-regions-smallest.png", page="map", steps=284, rows=wide, people=pair, size=SMALLEST, banner=BANNER
    )
    picture(out / "map-regions-no-value.png", page="map", steps=6, rows=narrow, people=pair, chosen=2)
    picture(out / "map-64-channels.png", page="map", steps=284, rows=wide.channels, chosen=30, keys="difference")
    odd = (*CHANNELS[:9], "EXG1", "EEG 001", "a channel with a long name")
    picture(out / "map-unknown-places.png", page="map", steps=60, rows=odd, chosen=2)
    picture(out / "signals-unknown-places.png", page="signals", steps=60, rows=odd, chosen=2)
    picture(out / "signals-64-channels.png", page="signals", steps=60, rows=wide, people=pair, protocol=True)
    picture(out / "signals-one-person.png", page="signals", steps=60, people=PEOPLE[:1])
    eight = tuple(f"Orange-Muse-22{i}2: EEG" for i in range(9))
    picture(out / "signals-nine-people.png", page="signals", steps=60, people=eight)
    picture(out / "signals-raw.png", page="signals", steps=60, keys="raw person", protocol=True)
    picture(out / "signals-raw-64.png", page="signals", steps=60, rows=wide, people=pair, keys="raw person")
    picture(out / "signals-raw-none.png", page="signals", steps=60, keys="raw", live=False)
    picture(out / "agreement-short.png", page="agreement", steps=70)


def rated(out: Path) -> None:
    """Write the pages of a session with a bundle of ratings, and the participant's slider."""
    for name, size in (("1280", (1280, 720)), ("1920", LARGE)):
        for page in ("curves", "agreement", "plane", "signals"):
            rated_picture(out / f"rated-{page}-{name}.png", fake_rated_session(260), page, size)
        rated_picture(out / f"rated-plane-headset-{name}.png", fake_rated_session(60, people=PEOPLE[:1]), "plane", size)
    rated_picture(out / "rated-curves-headset.png", fake_rated_session(60, people=PEOPLE[:1]), "curves")
    rated_picture(out / "rated-plane-nobody.png", fake_rated_session(90, rated=False), "plane")
    rated_picture(out / "rated-plane-silent.png", fake_rated_session(90, silent=(70, 90)), "plane")
    rated_picture(out / "rated-plane-early.png", fake_rated_session(4), "plane")
    rated_picture(out / "rated-one.png", fake_rated_session(90, names=("arousal",)), "curves")
    sliders = {"plane": ("arousal", "valence"), "bar": ("arousal",)}
    for name, names in sliders.items():
        for alone in (True, False):
            source = SliderSource(names, SCALE)
            window = ParticipantWindow(ParticipantPresenter(slider=Slider(source, alone=alone)), preview=True)
            window.resize(1280, 720)
            window.show()
            for key in ("Up", "Up", "Left", "Left", "Left"):
                window.slider.press(key)
            window.tick()
            window.update()
            grab(window, out / f"slider-{name}-{'alone' if alone else 'beside'}.png")
            window.close()


def affect(out: Path) -> None:
    """Write the plane of affect: of several people, without a headset, without values, and beside ratings."""
    pair, one = PEOPLE[:2], ("",)
    for name, size in (("1280", (1280, 720)), ("1920", LARGE)):
        steps = with_affect(fake_session(200, people=pair), pair)
        rated_picture(out / f"affect-plane-{name}.png", steps, "plane", size)
        steps = with_affect(fake_session(120, people=pair), pair, bad=(100, 120))
        rated_picture(out / f"affect-plane-novel-{name}.png", steps, "plane", size)
    rated_picture(out / "affect-plane-rest.png", with_affect(fake_session(12, people=pair), pair), "plane")
    rated_picture(out / "affect-plane-sound.png", with_affect(fake_rated_session(80), one, library=False), "plane")


def rated_picture(path: Path, steps: list[Feedback], page: str, size: tuple[int, int] = (1280, 720)) -> None:
    """Write one picture of a page after these steps of a session with ratings."""
    presenter, now = Presenter(), 1000.4 + len(steps)
    for feedback in steps:
        presenter.add(feedback)
    window = SessionWindow(presenter, title="rated 1", on_close=lambda: None, now=lambda: now)
    window.resize(*size)
    window.show()
    window.tick()
    window.show_page(RATED.index(page))
    for _ in range(3):
        window.tick()
        QApplication.processEvents()
    grab(window, path)
    window.close()
    window.deleteLater()
    print(path)


def moments(out: Path) -> None:
    """Write the protocol in its phases, the list of keys, the marker, and the end."""
    record = FakeRecording()
    picture(out / "protocol-waiting.png", steps=90, protocol=True, recording=record)
    picture(out / "protocol-skip.png", steps=120, protocol=True, recording=record, keys="skip")
    picture(out / "protocol-done.png", steps=500, protocol=True, recording=record)
    picture(out / "keys.png", steps=120, protocol=True, recording=record, keys="help")
    picture(out / "marker.png", steps=120, protocol=True, recording=record, keys="marker")
    picture(out / "warming-up.png", steps=6)
    picture(out / "stalled.png", steps=95, late_s=12.3)
    picture(out / "ended.png", steps=400, ended="the sound has come to its end", chosen=2)


def participant(out: Path) -> None:
    """What the participant sees: neutral, at some levels, at success, and an instruction."""
    text = "Sit comfortably and look at the cross.\nListen to the story."
    shown = {"tone": ParticipantState("tone"), "instruction": ParticipantState("ring", text=text)}
    for show in ("ring", "bar"):
        shown |= {f"{show}-{level}": ParticipantState(show, level=level, presence=1.0) for level in (0.0, 0.5, 1.0)}
        shown[f"{show}-neutral"] = ParticipantState(show)
        shown[f"{show}-success"] = ParticipantState(show, level=0.8, presence=1.0, success=1.0)
    window = ParticipantWindow(ParticipantPresenter(), preview=True)
    window.show()
    window.resize(1280, 720)
    for name, state in shown.items():
        window.state = state
        window.update()
        grab(window, out / f"participant-{name}.png")
    window.close()


def start(out: Path) -> None:
    """The start window in its three modes; asks the network on loopback alone."""
    from tests.support.start_screens import start_pictures

    start_pictures(out)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=("states", "rows", "rated", "affect", "moments", "participant", "start"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    application = QApplication.instance() or QApplication(["rtaffect"])
    made = {
        "states": states,
        "rows": rows,
        "rated": rated,
        "affect": affect,
        "moments": moments,
        "participant": participant,
        "start": start,
    }
    for name, write in made.items():
        if asked.only in (None, name):
            write(asked.out)
    application.processEvents()


if __name__ == "__main__":
    main()
