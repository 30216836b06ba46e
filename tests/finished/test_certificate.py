"""The page of a timing certificate says what the certificate holds, escaped, and draws no value that is not there."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from calibration.finished.certificate import ages_plot, offsets_plot, page_of, read_certificate, write_page
from calibration.finished.plots import Axis, across_axis, cumulated, round_step, upward_axis
from rtaffect.common.errors import RecordingError


def spread(count: int = 3, value: float | None = 1.0) -> dict:
    return {"count": count, "median": value, "p99": value, "least": value, "most": value}


def certificate(**changes: object) -> dict:
    age = {"window_end": spread(), "newest_sample": spread(), "missing": 0, "window_end_each": [160.0, 170.0, None]}
    return {
        "certificate": 1,
        "rtaffect": "0.1.0",
        "made": "2026-01-02T03:04:05+00:00",
        "machine": {
            "name": "<lab>", "system": "Linux", "processor": "a", "cores": 2, "load": None, "python": "3.11",
            "libraries": {"pylsl": "1.18"},
        },
        "devices": {"speaker": "a & b", "capture": "c", "eeg": "d", "features": "none"},
        "asked": {"seconds": 12, "headless": True},
        "captured": True,
        "met": False,
        "aims": [
            {"name": "sound", "limit": 2.0, "found": None, "unit": "ms", "met": False},
            {"name": "missed deadlines", "limit": 0, "found": 0, "unit": "", "met": True},
        ],
        "offset_ms": {**spread(2, -1.25), "expected": 3, "found": 2, "missing": 1, "p99_abs": 1.5, "jitter_sd": None},
        "offset_without_doubt_ms": {**spread(2), "expected": 2, "found": 2, "missing": 0, "p99_abs": 1.5},
        "sound_ms": spread(),
        "eeg_ms": [{"headset": "P1", **spread()}],
        "drift": {
            "remaining": {"ms_per_hour": None, "low": None, "high": None},
            "devices": [{"device": "card", "ppm": 20.0, "ms_per_hour": 72.0}],
        },
        "lookahead_ms": 151.0,
        "window_centre_s": 5.0,
        "ages_ms": {"lsl": age, "painted": None, "osc": None},
        "steps": {"asked": 12, "made": 12, "missed": 0, "behind_ms": spread(), "taken_ms": {"all": spread()}},
        "notes": ["a note on '<b>'"],
        "clicks": {"time_s": [6.5, 7.5, 8.5], "sound_ms": [1.0, None, 2.0], "eeg_ms": [[0.0, 0.0, 0.1]]},
    } | changes  # fmt: skip


class _Balanced(HTMLParser):
    """Counts what is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_escapes_all() -> None:
    page = page_of(certificate())
    parser = _Balanced()
    parser.feed(page)
    assert not parser.open
    assert "&lt;lab&gt;" in page
    assert "&#39;&lt;b&gt;&#39;" in page
    assert "<lab>" not in page
    assert not re.search(r'(src|href)="(?!#)', page)
    for words in ("MISSED", "Wilson", "there was no window", "Not all aims are met: sound."):
        assert words in page


def test_it_says_that_nothing_was_captured() -> None:
    assert "Nothing was captured" in page_of(certificate(captured=False))
    assert "Nothing was captured" not in page_of(certificate())


def test_a_click_that_was_not_found_is_marked_and_not_drawn() -> None:
    plot = offsets_plot(certificate())
    assert len(plot.series[0].points) == 2
    assert len(plot.absent) == 1


def test_ages_are_drawn_where_they_were_measured() -> None:
    plot = ages_plot(certificate())
    assert plot is not None
    assert [series.style for series in plot.series] == ["one"]
    both = certificate()["ages_ms"]["lsl"]
    plot = ages_plot(certificate(ages_ms={"lsl": both, "painted": both, "osc": both}))
    assert [series.style for series in plot.series] == ["one", "three", "two"]
    assert ages_plot(certificate(ages_ms={"lsl": None, "painted": None, "osc": None})) is None
    assert "not measured" in page_of(certificate(ages_ms={"lsl": None, "painted": None, "osc": None}))


def test_axes_hold_their_values_at_round_ticks() -> None:
    assert [round_step(least) for least in (0.7, 1.0, 1.1, 3.0, 60.0)] == [1.0, 1.0, 2.0, 5.0, 100.0]
    axis = upward_axis("ms", [-61.0, 5.8, float("nan")], (-6, 6))
    assert axis.low <= -61.0
    assert axis.high >= 6
    ticks = axis.ticks
    assert 3 <= len(ticks) <= 8
    assert all(abs(axis.place(float(tick.text.replace("\N{MINUS SIGN}", "-"))) - tick.at) < 0.2 for tick in ticks)
    assert [tick.text for tick in Axis("", 0.0, 1.0, 0, 100).ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_shares_rise_from_nothing_to_all() -> None:
    x, y = across_axis("ms", [10.0, 20.0], (0.0, 40.0)), upward_axis("share", [], (0.0, 1.0))
    path = cumulated("a", "one", x, y, [20.0, 10.0, float("nan")]).path
    assert path == f"M{x.place(10)} {y.place(0)}H{x.place(10)}V{y.place(0.5)}H{x.place(20)}V{y.place(1)}H{x.end}"
    assert cumulated("a", "one", x, y, []).path == ""


def test_what_is_no_certificate_is_refused_in_one_line(tmp_path: Path) -> None:
    for content in ("{", "[]", json.dumps({"certificate": 2})):
        (tmp_path / "certificate.json").write_text(content, encoding="utf-8")
        with pytest.raises(RecordingError, match=r"certificate\.json"):
            read_certificate(tmp_path)
    (tmp_path / "certificate.json").write_text(json.dumps(certificate()), encoding="utf-8")
    assert write_page(tmp_path).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
