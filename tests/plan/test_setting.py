"""A setting has one home: of a plan's field come its option, its line in the docs and its name in messages."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from rtaffect.cli.options import option_of
from rtaffect.common.errors import RtaffectError, SettingsError, either, setting, such_as, under, with_labels
from rtaffect.plan.session_plan import SETTINGS, SessionPlan
from rtaffect.plan.setting import DefinedSetting, Setting, settings_of
from tests.settings_page import session_table

ROOT = Path(__file__).parents[2]


class LampPlan(BaseModel):
    """The example of CONTRIBUTING.md."""

    lamp: Annotated[str | None, Setting("lamp", "&Lamp", modes=("live",), metavar="NAME")] = Field(
        None, description="Lamp that the feedback dims"
    )


class ManyPlan(SessionPlan):
    """A session with a part more, which has a field of each type."""

    class Part(BaseModel):
        bright: Annotated[int, Setting("bright", other_help={"demo": "How bright"})] = Field(3, ge=1, description="Lux")
        shade: Annotated[Literal["red", "blue"], Setting("shade")] = Field("red", description="Colour")
        dim: Annotated[bool, Setting("no-dim")] = Field(True, description="Dim it")
        names: Annotated[tuple[str, ...], Setting("name", multiple=True)] = Field((), description="Names")
        on: Annotated[str | None, Setting("on", bare="")] = Field(None, description="Where")
        file: Annotated[Path | None, Setting("file")] = Field(None, description="File")

    lamp: Part = Part()


def options(*settings: DefinedSetting) -> click.Command:
    """A command that prints what its options give."""

    @click.command()
    def command(**given: object) -> None:
        click.echo(repr(given))

    for each in settings:
        command = option_of(each, "live")(command)
    return command


def test_a_new_setting_is_one_definition():
    (lamp,) = settings_of(LampPlan)
    runner, command = CliRunner(), options(lamp)
    assert "--lamp NAME  Lamp that the feedback dims." in runner.invoke(command, ["--help"]).output
    assert runner.invoke(command, ["--lamp", "desk"]).output == "{'lamp': 'desk'}\n"
    assert (
        session_table([lamp]).splitlines()[-1]
        == "| `lamp` | `--lamp` | live | Lamp |  |  | Lamp that the feedback dims |"
    )
    assert "Lamp that the feedback dims" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_options_are_of_the_fields_types():
    settings = [each for each in settings_of(ManyPlan) if each.path[0] == "lamp"]
    runner, command = CliRunner(), options(*settings)
    text = runner.invoke(command, ["--help"]).output
    assert "[default: 3; x>=1]" in text
    assert "[red|blue]" in text
    assert [each.help("demo") for each in settings[:2]] == ["How bright", "Colour"]
    given = ["--bright", "7", "--shade", "blue", "--no-dim", "--name", "a", "--name", "b", "--on", "--file", "x.wav"]
    output = runner.invoke(command, given).output.replace("PosixPath", "").replace("WindowsPath", "")
    assert ast.literal_eval(output) == {
        "lamp__bright": 7, "lamp__shade": "blue", "lamp__dim": False, "lamp__names": ("a", "b"), "lamp__on": "",
        "lamp__file": "x.wav",
    }  # fmt: skip
    assert runner.invoke(command, ["--bright", "0"]).exit_code == 2


def test_every_reference_is_to_a_setting():
    known = {each.setting.option for each in SETTINGS}
    referred = set()
    for file in (ROOT / "rtaffect").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in {"setting", "under", "such_as"} and isinstance(first, ast.Constant):
                    referred.add(first.value)
                referred |= {k.value.value for k in node.keywords if k.arg == "field" and node.func.id.endswith("Error")
                             and isinstance(k.value, ast.Constant)}  # fmt: skip
    assert {"channels", "participant", "audio-start"} <= referred <= known


def test_options_labels_and_choices_are_distinct():
    for names in ([s.setting.option for s in SETTINGS], [s.setting.name for s in SETTINGS if s.setting.label],
                  [s.choice for s in SETTINGS]):  # fmt: skip
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("reference", "terminal", "window"),
    [
        (setting("lamp"), "--lamp", "'Lamp'"),
        (setting("lamp", "{}"), "--lamp {}", "Lamp {}"),
        (setting("lamp", metavar="NAME"), "--lamp NAME", "'Lamp'"),
        (under("lamp"), "with --lamp", "under 'Lamp'"),
        (under("lamp", metavar="NAME"), "with --lamp NAME", "under 'Lamp'"),
        (such_as("lamp", "desk"), "as in --lamp desk", "under 'Lamp', as in desk"),
        (either("on a line"), "on a line", ""),
        (setting("other", 3), "--other 3", "--other 3"),
        ("{}", "{}", "{}"),
    ],
)
def test_references_are_options_or_labels(reference, terminal, window):
    error = SettingsError(f"no {{}} here: {reference}.")
    assert str(error) == f"no {{}} here: {terminal}."
    assert with_labels(error.message, {"lamp": "Lamp"}) == f"no {{}} here: {window}."


def test_an_error_is_one_line_of_its_parts():
    error = RtaffectError(f"{setting('lamp', 'x')} is not there", "a lamp", f"name it {under('lamp')}")
    assert str(error) == "--lamp x is not there; expected a lamp: name it with --lamp"
    assert (error.field, error.expected) == ("lamp", "a lamp")
    assert str(RtaffectError("gone", remedy="buy one")) == "gone; buy one"
    assert RtaffectError(f"see {setting('lamp')}", field="speed").field == "speed"
    assert (str(RtaffectError("plain")), RtaffectError("plain").field) == ("plain", "")
