"""Protocols on disk: what is read, what is refused and in which words, the shipped examples, the tables of the docs."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tomli_w
from click.testing import CliRunner, Result

from rtaffect.cli.protocol import protocol as command
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.model import Arm, Block, FeedbackRule, Mark, Protocol
from rtaffect.protocol.reading import check_rows, inspect_protocol, read_protocol, sound_seconds
from tests.support.protocol_files import (
    BLOCKS,
    RULE,
    conduct,
    content_of,
    course,
    protocol_of,
    write_donor,
    write_protocol,
)

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "rtaffect" / "protocol" / "examples"
SOUND_BLOCK = {"kind": "listen", "name": "Story", "stimulus": "sounds/story.wav"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "120"})


def sound(path: Path, seconds: float, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate), np.float32), rate)
    return path


def test_a_protocol_is_read_with_its_sounds(tmp_path):
    sound(tmp_path / "sounds/story.wav", 12.2)
    blocks = [SOUND_BLOCK, {**SOUND_BLOCK, "duration_s": 20}, {**SOUND_BLOCK, "duration_s": 5}, {**BLOCKS[2]}]
    path = write_protocol(tmp_path / "p.toml", blocks, study={"preregistration": "none", "sample_size": 24})
    found = read_protocol(path)
    assert [block.seconds for block in found.blocks] == [13, 20, 5, 5]
    assert [block.number for block in found.blocks] == [1, 2, 3, 4]
    assert found.blocks[0].sound == tmp_path / "sounds/story.wav"
    assert found.blocks[3].sound is None
    assert found.seconds == 43
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.path == path
    assert found.study["sample_size"] == 24


@pytest.mark.parametrize(("seconds", "expected"), [(3.0, 3), (3.0001250, 4), (2.999, 3), (61.5, 62)])
def test_a_sound_lasts_whole_seconds_rounded_up(tmp_path, seconds, expected):
    assert sound_seconds(sound(tmp_path / "x.flac", seconds)) == expected


def test_a_path_is_relative_to_the_protocol_not_to_the_working_folder(tmp_path, monkeypatch):
    sound(tmp_path / "lab/sounds/story.wav", 4)
    write_protocol(tmp_path / "lab/p.toml", [SOUND_BLOCK])
    monkeypatch.chdir(tmp_path)
    assert read_protocol(Path("lab/p.toml")).blocks[0].sound == tmp_path / "lab/sounds/story.wav"


def mistakes() -> dict[str, tuple[dict[str, object], str]]:
    """Contents that are wrong in one way, and what must be said."""
    baseline, feedback = BLOCKS[0], BLOCKS[1]
    yoked, late = {"name": "sham", "feedback": "yoked"}, {"name": "late", "feedback": "delayed"}
    content = content_of
    return {
        "kind": (
            content([{**baseline, "kind": "training"}]),
            "block 1 'Baseline': kind = 'training': expected 'baseline', 'rest'",
        ),
        "no length": (content([{"kind": "listen", "name": "A"}]), "block 1 'A': give duration_s, stimulus or film"),
        "rest without": (content([{"kind": "rest", "name": "A"}]), "block 1 'A': give duration_s: nothing says"),
        "rest with": (
            content([{"kind": "rest", "name": "A", "stimulus": "x.wav", "duration_s": 5}]),
            "block 1 'A': stimulus: a block of rest plays nothing",
        ),
        "no sound": (content([SOUND_BLOCK]), r"block 1: stimulus .*/sounds/story.wav is not there: correct the path"),
        "part second": (
            content([{**baseline, "duration_s": 20.5}]), "duration_s = 20.5: expected a whole number",
        ),
        "too short": (content([{**baseline, "duration_s": 2}]), "duration_s = 2: expected a whole number from 3 to"),
        "no rule": (content([baseline, feedback], rule=None), r"\[feedback\] is missing: block 'Run 1' \(feedback\)"),
        "no baseline": (content([feedback, baseline]), "before 'Run 1' .*: add one, or choose scale = null, adap"),
        "percentiles": (
            content(rule={**RULE, "low_percentile": 95}), "low_percentile = 95 must be below high_percentile = 90",
        ),
        "fixed": (content(rule={"scale": "fixed", "low": 0.3}), "low = 0.3 and high = None: scale = fixed needs both"),
        "fixed order": (content(rule={"scale": "fixed", "low": 0.3, "high": 0.1}), "low below high"),
        "not fixed": (content(rule={**RULE, "low": 0.1}), "low belongs to scale = fixed, not to baseline: leave it"),
        "adaptive threshold": (
            content(rule={"scale": "adaptive", "threshold": 0.1}),
            "threshold belongs to scale = baseline or fixed, not to adaptive",
        ),
        "mean and more": (content(rule={**RULE, "rows": ["mean", "Fz"]}), "'mean' only alone"),
        "no rows": (content(rule={**RULE, "rows": []}), "each name once"),
        "infinite": (content(rule={**RULE, "gain": float("inf")}), "gain = inf: expected a number above 0 and"),
        "true": (content(rule={**RULE, "smoothing_s": True}), "smoothing_s = true: expected a whole number"),
        "unknown field": (content([{**baseline, "lenght": 3}]), "there is no field 'lenght'; expected one of kind,"),
        "unknown section": (content(feedbak={}), "there is no field 'feedbak'; did you mean feedback"),
        "no blocks": (content([]), "block: there is none"),
        "yoked": (content(arms=[yoked]), "arm 1 'sham': donors: a yoked arm needs at least one session folder"),
        "real donors": (
            content(arms=[{"name": "r", "feedback": "real", "donors": ["x"]}]),
            "donors belong to feedback = yoked, not to real",
        ),
        "no delay": (content(arms=[late]), "delay_s: a delayed arm needs a positive whole number of seconds"),
        "delay 0": (content(arms=[{**late, "delay_s": 0}]), "arm 1 'late': delay_s = 0: expected a whole number"),
        "delay part": (content(arms=[{**late, "delay_s": 2.5}]), "delay_s = 2.5: expected a whole number"),
        "arm name": (content(arms=[{"name": "a b", "feedback": "real"}]), "name = 'a b': expected letters, digits"),
        "arms alike": (content(arms=[{"name": "a", "feedback": "real"}] * 2), "arm 'a' is there twice"),
        "format": (content() | {"format": 3}, "format = 3: expected 1 or 2"),
        "true format": (content() | {"format": True}, "format = 'True': expected 1 or 2"),
        "practice": (content([{**baseline, "practice": "yes"}]), "practice = 'yes': "),
        "blank mark": (content() | {"mark": [{"key": "F5", "name": " "}]}, "mark: name ' ' is blank"),
        "mark like a key": (content() | {"mark": [{"key": "F5", "name": "f6"}]}, "mark: name 'f6' .* is a key's"),
        "marks alike": (
            content() | {"mark": [{"key": "F5", "name": "Cough"}, {"key": "F6", "name": "cough"}]},
            "mark: name 'cough' is there twice",
        ),
        "mark": (content() | {"mark": [{"key": "F2", "name": "a\nb"}]}, r"mark 1 'a b': name = 'a\\nb': expected one"),
        "no block": (content() | {"block": [3]}, "block 1 = 3: expected a table"),
        "line": (content([{**baseline, "name": "a\tb"}]), r"name = 'a\\tb': expected one line of text"),
        "table": (content(rule=None) | {"feedback": 3}, "feedback = 3: expected a table"),
    }  # fmt: skip


@pytest.mark.parametrize("name", mistakes())
def test_a_mistake_is_one_line_that_names_it(tmp_path, name):
    content, expected = mistakes()[name]
    path = tmp_path / "p.toml"
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    sound(tmp_path / "x.wav", 5)
    with pytest.raises(SettingsError) as caught:
        read_protocol(path)
    message = str(caught.value)
    assert re.search(expected, message), message
    assert message.startswith(f"protocol {path}: ")
    assert "\n" not in message
    assert "more:" not in message, "nothing else is wrong with it"


def test_files_that_are_no_toml(tmp_path):
    for name, data in (("a.toml", b"[block"), ("b.toml", b"name = '\xff'")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SettingsError, match=r"cannot be read .* expected TOML in UTF-8"):
            read_protocol(tmp_path / name)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_protocol(tmp_path / "nowhere.toml")


def test_sounds_that_do_not_serve(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"not a sound at all")
    sound(tmp_path / "b.wav", 0)
    sound(tmp_path / "c.wav", 1.5)
    sound(tmp_path / "other/c.wav", 5)
    names = ("a.wav", "b.wav", "c.wav", "other/c.wav")
    blocks = [{"kind": "listen", "name": name[:5], "stimulus": name} for name in names]
    _, problems = inspect_protocol(write_protocol(tmp_path / "p.toml", blocks))
    expected = (
        r"block 1: stimulus .*a.wav: not a sound that can be read .*convert it",
        r"block 2: stimulus .*b.wav is empty",
        r"block 4: stimulus .*other/c.wav has the same name as .*rename one",
        r"block 3 'c.wav': its sound lasts 2 s, a block at least 3 s: give duration_s",
    )
    assert len(problems) == 4
    for problem, words in zip(problems, expected, strict=True):
        assert re.search(words, problem)


def test_all_problems_are_found_at_once(tmp_path):
    blocks = [{"kind": "rest"}, {**SOUND_BLOCK, "kind": "story"}, {**BLOCKS[1], "start": "now"}]
    path = write_protocol(tmp_path / "p.toml", blocks, rule={"gain": 0}, arms=[{"name": "x", "feedback": "yoked"}])
    protocol, problems = inspect_protocol(path)
    assert protocol is None
    assert len(problems) == 6
    with pytest.raises(SettingsError, match=r"\(and 5 more: `rtaffect protocol check .*p.toml` lists them\)"):
        read_protocol(path)
    result = run("check", path)
    assert result.exit_code == 2
    assert [line for line in result.output.splitlines() if line] == [f"{path}: 6 problems", *problems]


def test_rows_are_compared_when_the_session_knows_them():
    protocol = protocol_of(rule={**RULE, "rows": ["Fz", "Oz1"]})
    check_rows(protocol, ("Fz", "Oz1"))
    check_rows(protocol_of(), ("Fz",))
    with pytest.raises(SettingsError, match=r"names Oz1, which .* did you mean Oz\?") as caught:
        check_rows(protocol, ("Fz", "Cz", "Oz"))
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match="there are left, right"):
        check_rows(protocol, ("left", "right"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_protocols_run(path):
    protocol = read_protocol(path)
    steps = protocol.seconds + 20
    protocol_steps = conduct(protocol, course(1, steps))
    assert protocol_steps[-1].phase == "done"
    assert any(m.shown.level is not None for m in protocol_steps)
    assert {m.block for m in protocol_steps} == set(range(1, len(protocol.blocks) + 1))


def test_the_examples_are_those_that_are_named():
    names = [path.name for path in sorted(EXAMPLES.glob("*.toml"))]
    assert names == [
        "baseline-two-runs.toml", "baselines-around.toml", "counterbalanced-1.toml", "counterbalanced-2.toml",
        "delay-controlled.toml", "hyperscanning-pair.toml", "sham-controlled.toml",
    ]  # fmt: skip
    two = read_protocol(EXAMPLES / names[0])
    assert [block.seconds for block in two.blocks if block.kind == "feedback"] == [600, 600]
    assert {arm.feedback for arm in read_protocol(EXAMPLES / names[-1]).arms} == {"real", "yoked"}


@pytest.mark.parametrize("name", ["baselines-around.toml", "counterbalanced-1.toml", "counterbalanced-2.toml"])
def test_mirrored_examples_have_both_kinds_of_block_at_the_same_mean_time(name):
    blocks, at = read_protocol(EXAMPLES / name).blocks, 0
    middles: dict[str, list[float]] = {}
    for block in blocks:
        middles.setdefault(block.kind, []).append(at + block.seconds / 2)
        at += block.seconds
    assert set(middles) == {"baseline", "feedback"}
    assert np.mean(middles["baseline"]) == np.mean(middles["feedback"]) == at / 2


def test_examples_are_copied_and_never_overwritten(tmp_path):
    out = tmp_path / "protocols"
    result = run("examples", "--out", out)
    assert result.exit_code == 0, result.output
    for path in EXAMPLES.glob("*.toml"):
        assert (out / path.name).read_bytes() == path.read_bytes()
    (out / "baseline-two-runs.toml").write_text("mine", encoding="utf-8")
    (out / "sham-controlled.toml").unlink()
    again = run("examples", "--out", out)
    assert isinstance(again.exception, RtaffectError)
    assert "already has baseline-two-runs.toml, baselines-around.toml" in str(again.exception)
    assert not (out / "sham-controlled.toml").exists()
    assert (out / "baseline-two-runs.toml").read_text(encoding="utf-8") == "mine"


def test_check_tells_that_nothing_counts(tmp_path):
    blocks = [{**block, "practice": True} for block in BLOCKS]
    shown = run("check", write_protocol(tmp_path / "p.toml", blocks))
    assert shown.exit_code == 0, shown.output
    assert "all its blocks are for practice, so that none counts in a result" in " ".join(shown.output.split())


def test_check_shows_blocks_and_times(tmp_path):
    sound(tmp_path / "sounds/story.wav", 61)
    path = write_protocol(tmp_path / "p.toml", [*BLOCKS, SOUND_BLOCK])
    result = run("check", path)
    assert result.exit_code == 0, result.output
    lines = [re.sub(r"\s*│\s*", "|", line).strip("|") for line in result.output.splitlines() if "│" in line]
    assert lines[1] == "2|Run 1|1:00|1:00|feedback|key"
    assert lines[4] == "5|Transfer|2:45|0:30|transfer|by itself"
    assert lines[5] == "6|Story|3:18|1:01|listen|key|story.wav"
    assert f"4:16 in all, without waiting for the operator; SHA-256 {read_protocol(path).sha256}" in result.output
    assert "success by chance: the baseline's threshold rests on 50 values" in result.output


def test_check_holds_donors_and_the_window_too(tmp_path):
    arms = [{"name": "real", "feedback": "real"}, {"name": "sham", "feedback": "yoked", "donors": ["d1", "d2"]}]
    blocks = [{**BLOCKS[0], "duration_s": 20}, *BLOCKS[1:]]
    path = write_protocol(tmp_path / "p.toml", blocks, arms=arms)
    result = run("check", path)
    assert result.exit_code == 2
    assert "3 problems" in result.output
    assert "gives at most 10 values" in result.output
    assert "d1 is not a session's folder" in result.output
    path = write_protocol(tmp_path / "p.toml", arms=arms)
    own = protocol_of()
    for number, name in enumerate(("d1", "d2")):
        write_donor(tmp_path / name, conduct(own, course(number, 220)))
    result = run("check", path)
    assert result.exit_code == 0, result.output
    assert "Arm sham: another session's feedback, of 2" in result.output


def test_a_protocol_in_code_is_whole():
    protocol = protocol_of()
    assert [block.number for block in protocol.blocks] == [1, 2, 3, 4, 5]
    assert protocol.seconds == 195
    assert (protocol.path, protocol.sha256) == (None, "")
    Conductor(protocol, Real(), 10)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The file", Protocol),
        ("`[feedback]`", FeedbackRule),
        ("`[[block]]`", Block),
        ("`[[mark]]`", Mark),
        ("`[[arm]]`", Arm),
    ],
)
def test_the_docs_have_every_field(heading, model):
    """docs/protocol.md has a line for each, with its default and description, and none that is not there."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", section, re.MULTILINE))
    assert set(lines) == {info.alias or name for name, info in model.model_fields.items()}
    for name, info in model.model_fields.items():
        default, description = lines[info.alias or name].split(" | ", 1)
        assert description == info.description
        if info.is_required():
            assert default == "required"
        elif info.default in (None, (), {}, "") or isinstance(info.default, FeedbackRule):
            assert default == "none"
        else:
            value = list(info.default) if isinstance(info.default, tuple) else info.default
            assert tomllib.loads(f"x = {default.strip('`')}")["x"] == value
