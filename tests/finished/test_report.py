"""The report of a session and of a group: its numbers against the tables, what it says, what it keeps to itself."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner
from PIL import Image

from calibration.finished.report.as_json import as_json
from calibration.finished.report.blocks import blocks_of
from calibration.finished.report.checklist import BY_HAND, PARTLY, RECORDED, STUDY, items
from calibration.finished.report.command import command
from calibration.finished.report.data import load_session
from calibration.finished.report.figures import time_course_figures, time_course_pages
from calibration.finished.report.group import write_group_report
from calibration.finished.report.group_figures import aligned, between, longest_blocks, values_of
from calibration.finished.report.members import (
    MEASURES,
    REGULATION,
    GroupReport,
    OfAll,
    by_arm,
    holm,
    load_group,
    permutation_test,
    sign_flip_test,
)
from calibration.finished.report.numbers import session_report
from calibration.finished.report.page import check_out, session_page, write_session_report
from calibration.finished.report.protocol import opened_allocation
from calibration.pages import decimal, render
from rtaffect.common.drifts import drift_basis
from rtaffect.common.errors import ArtifactError, RecordingError, RtaffectError, SettingsError
from rtaffect.common.settings import DriftSettings
from rtaffect.protocol.seal import unseal
from rtaffect.protocol.unblinding import check_session, note_opening
from tests.support.session_files import BLOCKS, FakeBlock, with_effects, write_allocation, write_session

SHORT = (
    FakeBlock("baseline", "Baseline", 45),
    FakeBlock("feedback", "Run 1", 45, "tale.wav", 0.1),
    FakeBlock("feedback", "Run 2", 45, "tale.wav", 0.1),
)
PREREGISTERED = "https://example.org/prereg"
LIGHT = {"with_recording": False, "with_sounds": False}


class _Texts(HTMLParser):
    """Collects a page's visible text, its tables' rows, and where its pictures come from."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.sources: list[str] = []
        self._style = self._cell = False

    def handle_starttag(self, tag, attrs):
        self._style = tag == "style"
        if tag == "img":
            self.sources.append(dict(attrs)["src"])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._style:
            return
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data


class Page:
    """A report: its text, its tables' rows, and its numbers as JSON has them."""

    def __init__(self, html: str, numbers: dict) -> None:
        self.html, self.numbers = html, numbers
        parsed = _Texts()
        parsed.feed(self.html)
        self.text = " ".join("".join(parsed.words).replace("\N{NO-BREAK SPACE}", " ").split())
        self.rows, self.sources = parsed.rows, parsed.sources

    @classmethod
    def at(cls, path: Path) -> Page:
        numbers = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return cls(path.read_text(encoding="utf-8"), numbers)

    @classmethod
    def of(cls, folder: Path) -> Page:
        """The report of a session, not written."""
        data = load_session(folder)
        report = session_report(data, None)
        return cls(session_page(data, report), as_json(report))

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == first)


def lines(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    return write_session(tmp_path_factory.mktemp("whole") / "P01", staged=True)


@pytest.fixture(scope="module")
def page(session) -> Page:
    write_session_report(session, session / "report.html")
    return Page.at(session / "report.html")


def reported(folder: Path, out: Path, unblinded: Path | None = None) -> Page:
    write_session_report(folder, out, unblinded)
    return Page.at(out)


def test_the_page_needs_nothing_else(page):
    assert page.sources
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        assert base64.b64decode(source.split(",", 1)[1]).startswith(b"\x89PNG")
    assert not re.search(r'(src|href)="(?!data:|#)', page.html)


def test_texts_of_files_and_streams_are_shown_as_they_are(session, tmp_path):
    """Whatever a note, a stream or a block is called, it is text and no HTML."""
    odd = "<b>R&D"
    folder = write_session(
        tmp_path / "odd", blocks=(FakeBlock("baseline", f"Run {odd}", 40),), people=(odd,),
        study={"control": f"Sham {odd}", "else": odd}, protocol=f"Protocol {odd}", staged=True,
    )  # fmt: skip
    events = folder / "events.tsv"
    events.write_text(
        events.read_text(encoding="utf-8").replace("the door was opened", f"Note {odd}"), encoding="utf-8"
    )
    page = reported(folder, tmp_path / "odd.html")
    assert "<b>" not in page.html
    assert "&amp;amp;" not in page.html
    for text in (f"1 Run {odd}", f"Sham {odd}", f"else: {odd}", f"Protocol {odd}", f"Note {odd}"):
        assert text in page.text
    assert page.row(odd)[1] == "EEG"
    write_group_report([folder], tmp_path / "group.html")
    group = Page.at(tmp_path / "group.html")
    assert "<b>" not in group.html
    assert f"Group report: Protocol {odd}" in group.text


def test_what_json_has_not_is_refused():
    assert as_json((np.float32(1.5), np.nan, {"a": [None, True]})) == [1.5, None, {"a": [None, True]}]
    with pytest.raises(TypeError, match="expected what JSON has"):
        as_json(Path("here"))


def test_the_glance_says_what_ran(page, session):
    feedback = [row for row in lines(session, "feedback.tsv") if row["row"] == "mean"]
    observed = sum(row["observed"] != "n/a" for row in feedback)
    trusted = sum(row["trusted"] == "true" for row in feedback)
    steps = page.numbers["quality"]["steps"]
    assert (steps["all"], steps["missing"]) == (len(feedback), 0)
    assert (steps["observed"], steps["trusted"]) == (observed, trusted)
    for words in ("P01", "Baseline, two runs and a transfer", "completed", "made-up-stories", "Muse-1A2F", "4 of 4"):
        assert words in page.text
    assert "Synthetic" not in page.text
    # The made-up session was not ended by a session's own writer, which leaves hashes.
    assert [each for each in page.numbers["missing"] if "SHA256SUMS" not in each] == []


def test_what_was_seen_of_films_is_told(tmp_path):
    folder = write_session(tmp_path / "a", blocks=SHORT, **LIGHT)
    with (folder / "session.toml").open("a", encoding="utf-8") as file:
        file.write("\n[ran.film]\nframes = 720\ndropped = 3\nfrozen = 1\nfrozen_s = 2.04\n")
    assert "720 frames shown, 3 not in time; the picture stood still, 1 times for 2.0 s in all" in Page.of(folder).text


def test_what_was_checked_of_sound_and_light_is_told_with_its_age(tmp_path):
    folder = write_session(tmp_path / "a", blocks=SHORT, **LIGHT)
    with (folder / "session.toml").open("a", encoding="utf-8") as file:
        file.write('\n[ran.checks.sound]\nline = "sound: heard 23.1 ms after its time"\nage_s = 7200.0\n')
        file.write('[ran.checks.light]\nline = "light: not seen: the stream is still"\nage_s = 30.0\n')
    page = Page.of(folder)
    assert "heard 23.1 ms after its time (checked 2 h 0 min before the session)" in page.text
    assert "not seen: the stream is still (checked 30 s before the session)" in page.text
    glance = page.numbers["glance"]
    assert (glance["sound_check"][:13], glance["light_check"][:8]) == ("heard 23.1 ms", "not seen")


def test_means_by_block_are_those_of_the_table(page, session):
    moments = lines(session, "moments.tsv")
    for block in page.numbers["regulation"]["blocks"]:
        mine = [m for m in moments if m["block"] == str(block["number"]) and m["value"] != "n/a"]
        values = np.array([float(m["value"]) for m in mine])
        assert block["values"] == len(values) == 50
        assert block["mean"] == pytest.approx(np.tanh(np.arctanh(values).mean()), abs=1e-9)
        assert block["low"] < block["mean"] < block["high"]
        judged = [m for m in mine if m["threshold"] != "n/a"]
        if judged:
            rate = np.mean([float(m["value"]) >= float(m["threshold"]) for m in judged])
            assert block["success_rate"] == pytest.approx(rate)
    shown = [float(m["level"]) for m in moments if m["block"] == "2" and m["level"] != "n/a"]
    assert page.numbers["regulation"]["blocks"][1]["level"] == pytest.approx(np.mean(shown))
    row = page.row("2 Run 1")
    assert row[1:4] == ["feedback", "60 s", "50"]
    assert row[-1] == f"{len(shown)} s at {np.mean(shown):.2f}".replace("0.", ".")


def test_differences_are_those_of_the_blocks(page, session):
    moments = lines(session, "moments.tsv")
    z = {
        kind: np.arctanh([float(m["value"]) for m in moments if m["kind"] == kind and m["value"] != "n/a"]).mean()
        for kind in ("baseline", "feedback", "transfer")
    }
    found = {c["name"]: c["plain"] for c in page.numbers["regulation"]["contrasts"]}
    assert found["feedback less baseline"] == pytest.approx(z["feedback"] - z["baseline"], abs=1e-9)
    assert found["transfer less baseline"] == pytest.approx(z["transfer"] - z["baseline"], abs=1e-9)
    blocks = page.numbers["regulation"]["blocks"]
    assert page.numbers["regulation"]["slope"]["plain"] == pytest.approx(blocks[2]["mean_z"] - blocks[1]["mean_z"])
    told = next(c for c in page.numbers["regulation"]["contrasts"] if c["name"] == "feedback less baseline")
    assert page.row("feedback less baseline")[1] == f"{told['difference']:.3f}".replace("0.", ".")
    assert "An uncontrolled trend: baselines do not lie on both sides of feedback" in page.text


def test_other_sounds_than_in_the_baseline_are_told(page):
    assert "In feedback other sounds were heard than in the baseline (tale.wav; story.wav)" in page.text
    assert "In transfer other sounds" not in page.text


def test_agreement_is_the_correlation_within_blocks(page, session):
    mean = [row for row in lines(session, "feedback.tsv") if row["row"] == "mean"]
    time = np.array([float(row["time"]) for row in mean])
    sides = [np.array([float(row[name].replace("n/a", "nan")) for row in mean]) for name in ("predicted", "observed")]
    used = []
    for block in page.numbers["regulation"]["blocks"]:
        inside = (time >= block["start"]) & (time < block["start"] + block["seconds"]) & np.isfinite(sides[1])
        if inside.sum() >= page.numbers["agreement"]["least_s"]:
            used.append([np.arctanh(side[inside]) - np.arctanh(side[inside]).mean() for side in sides])
    x, y = np.concatenate(used, axis=1)
    assert page.numbers["agreement"]["mean"]["plain_r"] == pytest.approx((x @ y) / np.sqrt((x @ x) * (y @ y)), abs=1e-6)
    left = []
    for side in zip(*used, strict=True):
        bases = [drift_basis(len(each), DriftSettings()) for each in side]
        left.append(np.concatenate([z - b @ (b.T @ z) for b, z in zip(bases, side, strict=True)]))
    r = np.corrcoef(*left)[0, 1]
    assert page.numbers["agreement"]["mean"]["r"] == pytest.approx(r, abs=1e-6)
    assert page.numbers["agreement"]["mean"]["seconds"] == len(x) == 180
    assert len(page.numbers["agreement"]["rows"]) == 6


def test_quality_is_that_of_the_tables(page, session):
    quality = [float(row["quality"]) for row in lines(session, "quality.tsv") if row["channel"] == "Fz"]
    found = next(c for c in page.numbers["quality"]["channels"] if c["channel"] == "Fz")
    assert found["good"] == pytest.approx(np.mean(quality))
    assert found["poor_s"] == sum(value < 0.6 for value in quality) == 8
    reasons = {r["reason"]: r["seconds"] for r in page.numbers["quality"]["reasons"]}
    assert reasons == {"the null band waits for more data": 9, "Muse-1A2F: Fz is bad": 8}
    neutral = page.numbers["quality"]["neutral"]
    assert [(n["seconds"], "reaches back before the block" in n["reason"]) for n in neutral] == [(20, True)]


def test_gaps_and_drift_are_those_of_the_recording(page):
    eeg = next(s for s in page.numbers["quality"]["streams"] if s["type"] == "EEG")
    assert eeg["gaps"] == 1
    assert eeg["lost_s"] == pytest.approx(0.2, abs=0.01)
    assert eeg["drift_ppm"] == pytest.approx(-8, abs=0.1)
    assert eeg["back"] == 0
    late = {each["name"]: each for each in page.numbers["quality"]["latencies"]}
    assert late["a marker in the recording less the same in events.tsv"]["largest_ms"] == pytest.approx(0, abs=1e-3)
    assert "gap of 0.200 s" in page.text, "the log's warning"


def test_markers_are_numbered_without_what_blocks_tell(page):
    assert [(e["number"], e["type"], e["text"]) for e in page.numbers["events"]] == [
        (1, "key", "cough"), (2, "note", "the door was opened"),
    ]  # fmt: skip
    assert page.row("1")[2:] == ["key", "cough"]


def test_every_item_of_the_checklist_is_there(page):
    letters = {"1": "ab", "2": "abcde", "3": "abcde", "4": "abcde", "5": "abc", "6": "ab", "7": "a"}
    wanted = [domain + letter for domain, some in letters.items() for letter in some]
    assert [item.number for item in items()] == [item["number"] for item in page.numbers["checklist"]] == wanted
    state = {item["number"]: item["state"] for item in page.numbers["checklist"]}
    assert state["1a"] == STUDY
    assert page.row("1a")[-1].strip("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}") == PREREGISTERED
    assert {state[number] for number in ("1b", "2d", "2e", "3a", "6a", "6b", "7a")} == {BY_HAND}
    assert {state[number] for number in ("3d", "4a", "4c", "4d", "5a")} == {RECORDED}
    assert {state[number] for number in ("4b", "4e", "5b")} == {PARTLY}
    recorded = {item["number"]: item["recorded"] for item in page.numbers["checklist"]}
    assert "1 to 30 Hz, notch at 50 Hz" in recorded["3d"]
    assert "10th and 90th percentile of the baseline" in recorded["4b"]
    assert "A ring that fills" in recorded["4c"]
    assert "6 channels at 128 Hz" in recorded["4e"]
    assert "the door was opened" in recorded["3c"]


def test_texts_of_the_study_answer_items_and_the_rest_is_kept(tmp_path):
    study = {
        "sample_size": "24 & more",
        "primary_outcome": "Transfer",
        "3a": "Mood, before and after",
        "funding": "none",
    }
    found = session_report(load_session(write_session(tmp_path / "a", study=study, blocks=SHORT, **LIGHT)), None)
    answers = {answer.number: answer for answer in found.checklist}
    assert [answers[n].study for n in ("1b", "6a", "3a", "1a")] == [
        "24 & more",
        "Transfer",
        "Mood, before and after",
        "",
    ]
    assert found.other_texts == {"funding": "none"}


def test_settings_versions_and_hashes_are_in_full(page, session):
    ran = load_session(session, recording=False).ran
    for text in (ran["protocol_sha256"], ran["bundle_sha256"], ran["featurizer_sha256"], ran["stimuli"][0]["sha256"]):
        assert text in page.text
    assert "highpass_hz = 1.0" in page.text
    assert 'show = "ring"' in page.text
    assert page.numbers["versions"]["numpy"] == np.__version__


def test_a_strong_effect_is_told_and_none_is_not(tmp_path):
    strong = write_session(tmp_path / "strong", blocks=with_effects((0, 0.3, 0.3, 0.0)), **LIGHT)
    none = write_session(tmp_path / "none", blocks=with_effects((0, 0, 0, 0)), seed=4, **LIGHT)
    pages = [Page.of(folder) for folder in (strong, none)]
    message = [page.numbers["regulation"]["contrasts"][0] for page in pages]
    assert message[0]["p"] < 0.001
    assert message[0]["low"] < 0.3 < message[0]["high"]
    assert message[1]["p"] > 0.05
    assert "Regulation: in feedback the value lay above the baseline by ." in pages[0].text
    assert "not distinguishable from none" in pages[1].text


def test_short_blocks_are_told_in_words(tmp_path):
    blocks = (FakeBlock("baseline", "Baseline", 60), FakeBlock("feedback", "Run 1", 25, "tale.wav"))
    page = Page.of(write_session(tmp_path / "a", blocks=blocks, **LIGHT))
    assert "with fewer than 3 nothing can be said of how sure that is" in page.text
    assert "Too few windows" in page.text
    assert page.row("feedback less baseline")[2] == "too few windows"
    assert "There is one block of feedback with values" in page.text
    assert "fewer cannot tell agreement from chance" in page.text


def test_synthetic_bundles_and_sessions_without_an_end_are_told_first(tmp_path):
    folder = write_session(tmp_path / "a", blocks=SHORT, synthetic=True, outcome="running", **LIGHT)
    banner = Page.of(folder).html.split("<nav>", maxsplit=1)[0]
    assert "Synthetic bundle" in banner
    assert "no recorded end" in banner


MILD = (
    FakeBlock("baseline", "Baseline", 45, "tale.wav"),
    FakeBlock("feedback", "Run 1", 45, "tale.wav", 0.01),
    FakeBlock("feedback", "Run 2", 45, "tale.wav", 0.02),
)


def sealed_pair(folder: Path, arms: dict[str, str]) -> tuple[list[Path], Path]:
    """Sessions of participants in arms of a sealed allocation, which is written too."""
    made = write_session(folder / "first", blocks=MILD, arm="real", **LIGHT)
    protocol = next(folder.glob("*.toml"))
    sealed = write_allocation(folder / "allocation.sealed", protocol, arms)
    shutil.rmtree(made)
    found = [
        write_session(folder / code, participant=code, arm=arm, seed=i, blocks=MILD, allocation=sealed, **LIGHT)
        for i, (code, arm) in enumerate(arms.items())
    ]
    return found, sealed


def open_on_record(sealed: Path, folders: list[Path]) -> Path:
    allocation, sha256 = unseal(sealed)
    return note_opening(sealed, allocation, sha256, [check_session(f, allocation, sha256) for f in folders])


def test_a_sealed_arm_is_not_told_until_it_is_opened(tmp_path):
    (real, sham), sealed = sealed_pair(tmp_path, {"P01": "real", "P02": "sham"})
    blind = reported(sham, tmp_path / "blind.html")
    assert "Blinded: the participant's arm is sealed" in blind.text
    assert blind.numbers["arm"] is None
    assert all(b["level"] is None and b["shown_success"] is None for b in blind.numbers["regulation"]["blocks"])
    assert blind.numbers["regulation"]["shown_against_own"] is None
    assert "level that was shown is left out" in blind.text
    before = blind.html.split("<h3>Protocol</h3>")[0]
    assert before.count("sham") == before.count("Arms of the protocol: real (real), sham (yoked).") == 1
    with pytest.raises(SettingsError, match="there is no record of an opening"):
        write_session_report(sham, tmp_path / "no.html", sealed)
    record = open_on_record(sealed, [real, sham])
    disclosed = reported(sham, tmp_path / "open.html", record)
    assert "Unblinded: the participant is in the arm 'sham'" in disclosed.text
    assert abs(disclosed.numbers["regulation"]["shown_against_own"]) < 0.9
    assert disclosed.numbers["regulation"]["blocks"][1]["level"] is not None
    own = session_report(load_session(real), opened_allocation(sealed))
    assert own.arm == "real"
    assert own.regulation.shown_against_own == pytest.approx(1.0, abs=1e-3)


def test_pictures_of_a_blinded_session_have_no_level(tmp_path):
    """Beside the observed values, the level that was shown tells the arm."""
    ((folder,), _) = sealed_pair(tmp_path, {"P01": "sham"})
    data = load_session(folder)
    heights = [
        Image.open(io.BytesIO(time_course_figures(data, [], message)[0].png)).height for message in (False, True)
    ]
    assert heights[0] < heights[1], "a panel less"


def test_another_allocation_or_participant_is_refused(tmp_path):
    (folder,), _ = sealed_pair(tmp_path / "a", {"P01": "sham"})
    others, other = sealed_pair(tmp_path / "b", {"P02": "real", "P03": "sham"})
    record = open_on_record(other, others)
    with pytest.raises(SettingsError, match="ran with the allocation"):
        write_session_report(folder, tmp_path / "a.html", record)
    (plain,) = [write_session(tmp_path / "c", blocks=SHORT, **LIGHT)]
    with pytest.raises(SettingsError, match="ran with no allocation"):
        write_session_report(plain, tmp_path / "a.html", record)
    stranger = write_session(tmp_path / "d", participant="P77", arm="real", blocks=SHORT, allocation=other, **LIGHT)
    with pytest.raises(SettingsError, match=r"P77 of session .* is not in the allocation"):
        write_session_report(stranger, tmp_path / "a.html", other)
    other.write_bytes(other.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match="damaged"):
        write_session_report(others[0], tmp_path / "a.html", record)


def cut(folder: Path, share: float, *names: str) -> None:
    for name in names:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])


def test_a_killed_session_gives_a_report_that_says_so(session, tmp_path):
    folder = shutil.copytree(session, tmp_path / "killed")
    cut(folder, 0.55, "feedback.tsv", "moments.tsv", "events.tsv", "quality.tsv", "people.tsv", "recording.xdf")
    text = (folder / "session.toml").read_text(encoding="utf-8")
    text = re.sub("ended = .*\n", "", text).replace('outcome = "completed"', 'outcome = "running"')
    (folder / "session.toml").write_text(text, encoding="utf-8")
    page = reported(folder, tmp_path / "killed.html")
    assert "This session has no recorded end" in page.text
    message = " ".join(page.numbers["missing"])
    for words in ("feedback.tsv: 1 line cut short", "recording.xdf is cut short", "the end of the session"):
        assert words in message
    assert page.numbers["glance"]["seconds"] == page.numbers["quality"]["steps"]["all"] > 100
    ran = page.numbers["regulation"]["blocks"]
    assert [block["ended"] for block in ran] == [True, True, False]
    assert page.numbers["regulation"]["contrasts"][0]["difference"] is not None
    assert "cut off" in page.text


def without(*names: str):
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def no_values(folder: Path) -> None:
    for name, columns in (("feedback.tsv", (5, 6, 7, 8, 9, 10)), ("moments.tsv", (8, 9, 10, 11, 12))):
        head, *rows = (folder / name).read_text(encoding="utf-8").splitlines()
        cells = [row.split("\t") for row in rows]
        for row in cells:
            for column in columns:
                row[column] = "n/a"
        (folder / name).write_text("\n".join([head, *map("\t".join, cells)]) + "\n", encoding="utf-8")


def emptied(folder: Path) -> None:
    for name in ("feedback.tsv", "moments.tsv", "events.tsv", "quality.tsv", "people.tsv", "session.log"):
        (folder / name).write_bytes(b"")
    (folder / "environment.json").write_text("{", encoding="utf-8")


def overwritten(folder: Path) -> None:
    for name in ("feedback.tsv", "moments.tsv", "events.tsv", "quality.tsv"):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2 : len(data) // 2 + 256] = bytes(range(256))
        (folder / name).write_bytes(bytes(data))
    (folder / "recording.xdf").write_bytes(b"no recording")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("moments.tsv", "events.tsv", "quality.tsv"), "No block ran"),
        (no_values, "No step inside a block has a value to be trusted"),
        (emptied, "There are no steps"),
    ],
    ids=["protocol", "values", "everything"],
)
def test_what_is_missing_is_told(tmp_path, change, message):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    change(folder)
    page = reported(folder, tmp_path / "s.html")
    assert message in page.text
    assert "CRED-nf" in page.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("moments.tsv"), "values are the observed mean over rows"),
        (without("feedback.tsv"), "feedback.tsv: there is no such file"),
        (overwritten, "damaged, left out"),
    ],
    ids=["moments", "feedback", "overwritten"],
)
def test_what_is_left_is_used(tmp_path, change, message):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    change(folder)
    report = session_report(load_session(folder), None)
    assert message in " ".join([*report.missing, *report.regulation.notes])
    assert [block.name for block in report.regulation.blocks] == ["Baseline", "Run 1", "Run 2"]
    found = report.regulation.difference("feedback less baseline")
    assert found is not None
    assert found.difference > 0.03, "the planted effect"


def test_a_group_of_an_earlier_version_has_no_predictions_on_another_scale(tmp_path):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    table = folder / "feedback.tsv"
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    assert lines[0][-1] == "group_size"
    assert np.isfinite(load_session(folder).course.mean["predicted"]).any()
    of_group = "\n".join("\t".join(line[:-1]).replace("reference", "group") for line in lines)
    table.write_text(of_group + "\n", encoding="utf-8")
    data = load_session(folder)
    assert data.course is not None
    assert not np.isfinite(data.course.mean["predicted"]).any()
    assert not np.isfinite(data.course.predicted).any()
    assert np.isfinite(data.course.observed).any()
    assert any("two scales" in text for text in data.missing)


def test_a_changed_protocol_is_not_taken_for_the_sessions(tmp_path):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    protocol = next(tmp_path.glob("*.toml"))
    protocol.write_text(protocol.read_text(encoding="utf-8") + "# later\n", encoding="utf-8")
    data = load_session(folder)
    assert data.protocol == {}
    assert any("has been changed since the session" in text for text in data.missing)


def test_a_session_without_a_protocol_or_a_code_has_a_report(tmp_path):
    folder = write_session(
        tmp_path / "s", blocks=(FakeBlock("listen", "Listening", 40),), protocol=None, participant=None, **LIGHT
    )
    page = reported(folder, tmp_path / "s.html")
    assert "nothing can be compared with a baseline" in page.text
    assert "<title>Session report: s, 2025-03-04" in page.html


def test_a_predicted_value_is_not_called_regulation(tmp_path):
    data = load_session(write_session(tmp_path / "s", blocks=SHORT, value="predicted", **LIGHT))
    assert any("nothing here is regulation" in note for note in session_report(data, None).regulation.notes)


def test_a_difference_is_averaged_as_it_is(tmp_path):
    folder = write_session(tmp_path / "s", blocks=SHORT, value="difference", **LIGHT)
    found = session_report(load_session(folder), None).regulation
    values = [float(m["value"]) for m in lines(folder, "moments.tsv") if m["block"] == "2" and m["value"] != "n/a"]
    assert found.unit == "difference of correlations"
    assert found.blocks[1].mean == pytest.approx(np.mean(values))


def test_long_sessions_are_drawn_on_several_pages(tmp_path):
    data = load_session(write_session(tmp_path / "s", blocks=(FakeBlock("listen", "Film", 1300),), **LIGHT))
    pages = time_course_pages(data)
    assert len(pages) == 3
    assert pages[0][0] == 0
    assert pages[-1][1] >= 1300
    assert all(a[1] == b[0] for a, b in pairwise(pages))


def test_a_sound_in_adjoining_blocks_is_heard_in_each() -> None:
    """The first one's end, which is when the second one begins, was taken for the second one's, too."""

    def line(onset: float, kind: str, block: int, name: str = "story.wav") -> dict[str, str]:
        number = {"duration": "60", "block": str(block), "kind": "feedback", "stim_file": "stimuli/story.wav"}
        return {"onset": str(onset), "trial_type": kind, "name": name} | number

    events = [line(0, "block", 1, "One"), line(0, "stimulus", 1), line(60, "stimulus-end", 1)]
    events += [line(60, "block-end", 1, "One"), line(60, "block", 2, "Two"), line(60, "stimulus", 2)]
    events += [line(120, "stimulus-end", 2), line(120, "block-end", 2, "Two")]
    one, two = blocks_of(None, events, 120.0)
    assert one.stimuli == (("story.wav", 0.0, 60.0),)
    assert two.stimuli == (("story.wav", 60.0, 120.0),)


def test_sounds_are_told_while_they_are_heard():
    def event(kind: str, onset: float, name: str = "a.wav", duration: str = "n/a") -> dict[str, str]:
        return {
            "onset": str(onset),
            "duration": duration,
            "trial_type": kind,
            "name": name,
            "block": "1",
            "kind": "listen",
        }

    events = [
        event("block", 10, "First"), event("stimulus", 10), event("stimulus-end", 20),
        event("stimulus", 30, "b.wav", "8"), event("block-end", 60, "First"),
    ]  # fmt: skip
    (run,) = blocks_of(None, events, 99.0)
    assert run.stimuli == (("a.wav", 10.0, 20.0), ("b.wav", 30.0, 38.0))
    (run,) = blocks_of(None, events[:1], 25.0)
    assert (run.end, run.ended) == (25.0, False)


def test_a_folder_that_is_no_session_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="is not a session's folder"):
        write_session_report(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_only_a_report_is_replaced(tmp_path):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    out = tmp_path / "notes.html"
    out.write_text("<html>my own page</html>", encoding="utf-8")
    with pytest.raises(SettingsError, match="is there already and is no report"):
        write_session_report(folder, out)
    assert out.read_text(encoding="utf-8") == "<html>my own page</html>"
    with pytest.raises(SettingsError, match=r"expected a name that ends in \.html"):
        write_session_report(folder, tmp_path / "report.pdf")
    (tmp_path / "report.json").write_text('{"my": "data"}', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"report\.json is there already"):
        write_session_report(folder, tmp_path / "report.html")


def run_command(*arguments: str) -> tuple[str, RtaffectError | None]:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exception is None or isinstance(result.exception, RtaffectError), result.exception
    return result.output, result.exception


def test_the_command_writes_beside_the_session(tmp_path):
    folder = write_session(tmp_path / "s", blocks=SHORT, **LIGHT)
    message, error = run_command(str(folder))
    assert error is None
    assert f"report {folder / 'report.html'}" in message
    assert Page.at(folder / "report.html").numbers["report"] == "rtaffect session"
    check_out(folder / "report.html")  # is a report: may be replaced
    assert not [path for path in folder.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which session"),
        (("a", "b"), "--group makes one report"),
        (("--group", "a", "b"), "name the group's report with --out"),
        (("nowhere",), "is not a session's folder"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(arguments, message):
    _, error = run_command(*arguments)
    assert message in str(error)
    assert "\n" not in str(error)


def test_the_command_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _, error = run_command(str(tmp_path))
    assert isinstance(error, ArtifactError)
    assert 'pip install "rtaffect[calibration]"' in str(error)


# The group


@pytest.fixture(scope="module")
def group(tmp_path_factory) -> tuple[list[Path], Path]:
    """Nine sessions of eight participants in two arms; the real one learns, by more than a line tells."""
    folder = tmp_path_factory.mktemp("group")
    arms = {f"P{i:02d}": ("real" if i % 2 else "sham") for i in range(1, 9)}
    first = write_session(folder / "first", arm="real", **LIGHT)
    sealed = write_allocation(folder / "allocation.sealed", next(folder.glob("*.toml")), arms)
    shutil.rmtree(first)
    made = []
    for i, (code, arm) in enumerate([*arms.items(), ("P01", "real")]):
        blocks = with_effects((0, 0.3, 0.5, 0.2) if arm == "real" else (0, 0, 0, 0))
        made.append(
            write_session(
                folder / f"s{i}", participant=code, arm=arm, seed=i, blocks=blocks, allocation=sealed, **LIGHT
            )
        )
    open_on_record(sealed, made)
    return made, sealed


@pytest.fixture(scope="module")
def opened(group, tmp_path_factory) -> Page:
    out = tmp_path_factory.mktemp("out") / "group.html"
    write_group_report(group[0], out, group[1])
    return Page.at(out)


def test_participants_are_the_unit(opened, group):
    single = [session_report(load_session(f), None).regulation.contrasts[0].estimate.difference for f in group[0]]
    people = {p["participant"]: p for p in opened.numbers["participants"]}
    assert len(people) == 8
    assert people["P01"]["sessions"] == 2
    assert people["P01"]["each"] == pytest.approx([single[0], single[8]])
    assert people["P01"]["feedback less baseline"] == pytest.approx((single[0] + single[8]) / 2)
    assert people["P01"]["change_per_session"] == pytest.approx(single[8] - single[0])
    assert people["P02"]["change_per_session"] is None
    assert [s["feedback less baseline"] for s in opened.numbers["sessions"]] == pytest.approx(single)


def test_arms_are_compared_by_permuting_participants(opened):
    values = {
        arm: [p["feedback less baseline"] for p in opened.numbers["participants"] if p["arm"] == arm]
        for arm in ("real", "sham")
    }
    found = next(c for c in opened.numbers["comparisons"] if c["name"] == "feedback less baseline")
    expected = scipy.stats.permutation_test(
        (values["real"], values["sham"]), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=np.inf
    )
    assert found["arms"] == ["real", "sham"]
    assert found["exact"]
    assert found["value"] == pytest.approx(np.mean(values["real"]) - np.mean(values["sham"]))
    assert found["p"] == pytest.approx(expected.pvalue) == pytest.approx(2 / 70), "the planted effect"
    welch = scipy.stats.ttest_ind(values["real"], values["sham"], equal_var=False).confidence_interval(0.95)
    assert (found["low"], found["high"]) == (pytest.approx(welch.low), pytest.approx(welch.high))
    family = [c for c in opened.numbers["comparisons"] if c["name"] not in ("trusted share of seconds in feedback",)]
    assert [c["p_holm"] for c in family] == holm([c["p"] for c in family])
    assert f"Arms, feedback less baseline: real less sham: {decimal(found['value'], 3)} " in opened.text
    assert f"p = {decimal(found['p_holm'], 3)}, Holm" in opened.text.replace("\N{NO-BREAK SPACE}", " ")
    assert opened.numbers["arms"] == ["real", "sham"]


def test_time_courses_are_means_between_participants(group):
    members = load_group(group[0], None)
    run = longest_blocks(members)[1]
    time_courses = aligned(members, run, values_of)
    assert time_courses.shape == (8, 60)
    moments = {f.name: lines(f, "moments.tsv") for f in group[0]}

    def at(folder: str, second: int) -> float:
        row = next(m for m in moments[folder] if float(m["time"]) == run.start + second)
        return float(np.arctanh(float(row["value"])))

    expected = [(at("s0", 30) + at("s8", 30)) / 2, *(at(f"s{i}", 30) for i in range(1, 8))]
    np.testing.assert_allclose(time_courses[:, 30], expected, atol=1e-9)
    assert np.isnan(time_courses[:, :10]).all(), "windows that reach back before the block"
    mean, low, high = between(time_courses)
    interval = scipy.stats.t.interval(0.95, 7, np.mean(expected), scipy.stats.sem(expected))
    assert (mean[30], low[30], high[30]) == pytest.approx((np.mean(expected), *interval))


def test_a_blinded_group_tells_no_arm(group, tmp_path):
    report = write_group_report(group[0][:3], tmp_path / "group.html")
    page = Page.at(tmp_path / "group.html")
    assert "Blinded: arms are sealed and are not compared" in page.text
    assert "sham" not in page.html
    assert report.arms == report.comparisons == report.by_arm == ()
    assert report.all[0].test.participants == (3,)


def test_different_protocols_are_not_mixed(tmp_path):
    one = write_session(tmp_path / "a", blocks=SHORT, **LIGHT)
    other = write_session(tmp_path / "b", blocks=SHORT, protocol="Another", **LIGHT)
    with pytest.raises(SettingsError, match="ran 2 different protocols"):
        write_group_report([one, other], tmp_path / "group.html")
    with pytest.raises(SettingsError, match="is named twice"):
        write_group_report([one, tmp_path / "b" / ".." / "a"], tmp_path / "group.html")


def test_a_group_of_one_and_one_without_values_has_a_report(tmp_path):
    good = write_session(tmp_path / "a", participant="P01", blocks=SHORT, **LIGHT)
    bad = write_session(tmp_path / "b", participant="P02", blocks=SHORT, **LIGHT)
    emptied(bad)
    message, error = run_command("--group", str(good), str(bad), "--out", str(tmp_path / "group.html"))
    assert error is None, message
    page = Page.at(tmp_path / "group.html")
    assert "with fewer than two nothing can be said" in page.text
    assert "b: feedback.tsv: it is empty" in page.text
    assert page.numbers["participants"][1]["feedback less baseline"] is None


def test_flipped_signs_are_scipys():
    rng = np.random.default_rng(0)
    for n in (2, 7, 11):
        values = rng.standard_normal(n) + 0.5
        found = sign_flip_test(values)
        expected = scipy.stats.permutation_test(
            (values,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
        )
        assert found.exact
        assert found.p == pytest.approx(expected.pvalue)
    many = rng.standard_normal(40) + 0.45
    assert sign_flip_test(many).p == pytest.approx(scipy.stats.ttest_1samp(many, 0).pvalue, abs=0.01)
    assert not sign_flip_test(many).exact


def test_random_permutations_come_near_to_all():
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal(12) + 0.8, rng.standard_normal(11)
    found = permutation_test(first, second)
    assert not found.exact
    assert found.p == pytest.approx(scipy.stats.ttest_ind(first, second).pvalue, abs=0.01)
    assert permutation_test(first[:1], second).p is None


def test_the_headline_has_every_pair_of_arms_and_corrects_over_measures():
    """Three arms, of which only the last pair differs: it is in the headline, and pays for nine tests."""
    rng = np.random.default_rng(4)
    arms = {arm: np.arange(30) // 10 == place for place, arm in enumerate(("a", "b", "c"))}
    table = {name: rng.standard_normal(30) for name in MEASURES}
    table["feedback less baseline"] += 3.0 * arms["c"]
    means, comparisons = by_arm(table, arms)
    regulation = [c for c in comparisons if c.name != MEASURES["trusted"]]
    assert len(regulation) == 9
    assert [c.p_holm for c in regulation] == holm([c.test.p for c in regulation])
    trusted = [c for c in comparisons if c.name == MEASURES["trusted"]]
    assert [c.p_holm for c in trusted] == holm([c.test.p for c in trusted])
    over_all = tuple(OfAll(MEASURES[name], sign_flip_test(table[name]), 0.2) for name in REGULATION)
    report = GroupReport(
        "group", "0", "study", None, False, False, tuple(arms), "Fisher z", "value", (), (), over_all, means,
        comparisons, (),
    )  # fmt: skip
    page = render("group/glance.html", report=report, level=0.05)
    text = " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())
    for first, second in (("a", "b"), ("a", "c"), ("b", "c")):
        assert f"{first} less {second}: " in text
    assert text.count("not distinguishable from none") == 1
    without = replace(report, arms=(), comparisons=())
    page = render("group/glance.html", report=without, level=0.05)
    assert "p = .200, Holm over 3 measures), not distinguishable" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_holms_p_values():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06], nan_ok=True)
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_blocks_of_the_fixture_are_what_the_tests_say():
    assert [block.kind for block in BLOCKS] == ["baseline", "feedback", "feedback", "transfer"]
