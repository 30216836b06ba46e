"""Writes the tables of docs/settings.md from the settings themselves: ``python -m tests.settings_page``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.errors import at_terminal
from rtaffect.common.settings import Settings
from rtaffect.plan.session_plan import SETTINGS
from rtaffect.plan.setting import DefinedSetting

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_BEGIN, _END = "<!-- begin {} -->", "<!-- end {} -->"


def limits(field: FieldInfo) -> str:
    """Return in words what a number may be; '' for what is no number, or has no limits."""
    signs = {"ge": "from {:g}", "gt": "above {:g}", "le": "to {:g}", "lt": "below {:g}"}
    return " ".join(
        text.format(getattr(mark, name))
        for name, text in signs.items()
        for mark in field.metadata
        if getattr(mark, name, None) is not None
    )


def analysis_table(section: type[BaseModel]) -> str:
    """Return the table of a section of the analysis' settings."""
    lines = (
        f"| `{name}` | `{json.dumps(field.default)}` | {limits(field)} | {field.description} |"
        for name, field in section.model_fields.items()
    )
    return "\n".join(["| setting | default | allowed | what it is |", "|---|---|---|---|", *lines])


def session_table(settings: Iterable[DefinedSetting]) -> str:
    """Return the table of the settings of a session."""
    lines = [
        "| in a plan | option | of | in the window | default | allowed | what it is |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in settings:
        mark, default = each.setting, each.field.default
        shown = "" if default is None or default == () else f"`{json.dumps(default)}`"
        helps = at_terminal(each.field.description or "").replace("|", "\\|")
        cells = (
            f"`{'.'.join(each.path)}`", f"`--{mark.option}`", ", ".join(mark.modes), mark.name, shown,
            limits(each.field), helps,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with all tables as the settings are now."""
    tables = {name: analysis_table(field.annotation) for name, field in Settings.model_fields.items()}  # type: ignore[arg-type]
    tables |= {"contact": analysis_table(ContactSettings)}
    for name, table in (tables | {"session": session_table(SETTINGS)}).items():
        before, _, rest = text.partition(_BEGIN.format(name))
        after = rest.partition(_END.format(name))[2]
        assert after, f"docs/settings.md has no place for the table {name!r}"
        text = f"{before}{_BEGIN.format(name)}\n{table}\n{_END.format(name)}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
