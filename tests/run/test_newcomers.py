"""Headsets that come after a session began: those that were declared join, others are told of."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from rtaffect.plan.session_folder import open_session
from rtaffect.run import newcomers
from rtaffect.run.newcomers import Newcomers, Offers
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.live import LiveSource, Offer
from rtaffect.sources.selection import ANY_EEG, Query
from tests.cli.test_commands import fine
from tests.run.test_whole_session import CHANNELS, RATE, same_tables
from tests.support.lsl_outlet import Outlet
from tests.support.waiting import wait_for


def headset(name: str, seed: int, channels: tuple[str, ...] = CHANNELS, unit: str = "microvolts") -> SimulatedHeadset:
    samples = 10e-6 * np.random.default_rng(seed).standard_normal((round(60 * RATE), len(channels)))
    return SimulatedHeadset(name, name, samples, RATE, channels, unit=unit)


@pytest.mark.slow
def test_an_expected_headset_joins_and_a_stranger_is_told_of_and_all_is_replayed(tmp_path: Path) -> None:
    unique = uuid.uuid4().hex[:6]
    here, later, stranger = f"a-{unique}", f"b-{unique}", f"c-{unique}"
    out, short = tmp_path / "live", tmp_path / "short.toml"
    short.write_text("[synchrony]\nwindow_s = 4\n", encoding="utf-8")
    others: list[SimulatedHeadset | Outlet] = []

    def come() -> None:
        first = out / "feedback.tsv"
        wait_for(lambda: first.exists() and first.stat().st_size > 500, 30.0)
        others.append(Outlet(stranger, stranger, {"Fz": 1.0}))
        late = headset(later, 2, ("X1", *reversed(CHANNELS)), "V")
        others.append(late)
        late.start()

    coming = threading.Thread(target=come)
    with headset(here, 1):
        coming.start()
        try:
            session = ("live", "--eeg", here, "--expect", later, "--settings", short, "--seconds", "15", "--headless")
            # A terminal breaks long lines.
            told = " ".join(fine(*session, "--no-outlet", "--out", out).split())
        finally:
            coming.join()
            for each in others:
                each.close()
    assert f"headset '{stranger}' on" in told
    assert f"--expect 'source_id={stranger}'" in told
    assert f"headset '{later}' on" not in told
    assert f"{later}: expected" in told
    lines = [line for line in open_session(out).table("people.tsv") if line["person"] == later]
    values = [line["observed"] for line in lines]
    assert values[0] == "n/a"
    assert any(value != "n/a" for value in values), "it takes part once its window is full enough"
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    same_tables(out, tmp_path / "again")


class Lost:
    """What is lost, as far as offers go."""

    def __init__(self, *words: str) -> None:
        self.offers = tuple(Offer(each, each) for each in words)
        self.taken: list[str] = []

    def take(self, offer: Offer) -> None:
        self.taken.append(offer.key)


def test_one_offer_is_shown_at_a_time_and_that_is_taken(monkeypatch) -> None:
    monkeypatch.setattr(newcomers, "LiveSource", Lost)
    first, second = Lost("x", "y"), Lost("z")
    offers = Offers([first, None, second])  # type: ignore[list-item]
    assert offers.notice() == "x: the key A takes it; Shift+A shows the next of 3"
    offers.show_next()
    offers.show_next()
    assert offers.take() == "z"
    assert (first.taken, second.taken) == ([], ["z"])
    second.offers = ()
    offers.show_next()
    assert offers.take() == "y"
    assert first.taken == ["y"]
    first.offers = ()
    assert (offers.notice(), offers.take()) == ("", "")


def test_nothing_is_offered_by_what_is_no_live_source() -> None:
    assert Offers([None]).notice() == ""
    assert not issubclass(Lost, LiveSource)


def test_who_was_there_at_the_beginning_is_not_new() -> None:
    name = f"old-{uuid.uuid4().hex[:6]}"
    with Outlet(name, name, {"Fz": 1.0}):
        watch = Newcomers([], [ANY_EEG, Query("name", "x")])
        time.sleep(1.2)
        watch.begin()
        assert watch.notices() == ()
