"""What was chosen last, kept in the user's configuration folder for the next start."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Final

import tomli_w
from platformdirs import user_documents_path
from pydantic import TypeAdapter, ValidationError

from rtaffect.common.config_folder import config_folder
from rtaffect.common.files import write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_toml, why
from rtaffect.plan.session_plan import without_none
from rtaffect.start.choices import Choices

FORMAT: Final = 1
#: Belongs to one session: the next one has another.
_OF_ONE_SESSION: Final = {"participant": "", "session_code": "", "name": ""} | {
    each.name: each.default for each in fields(Choices) if each.metadata.get("unseen")
}


def memory_file() -> Path:
    """Return where the last choices are kept: RTAFFECT_CONFIG, or the user's configuration folder of rtaffect."""
    return config_folder() / "start.toml"


def first_choices() -> Choices:
    """Return what stands in the window when nothing was chosen before."""
    return Choices(folder=str(user_documents_path() / "rtaffect"))


def recall() -> tuple[Choices, str]:
    """Return the choices of the last time, and a note where they cannot be read: then those of the first time."""
    path = memory_file()
    try:
        content = read_toml(path)
    except FileNotFoundError:
        return first_choices(), ""
    except (OSError, ValueError) as error:
        return first_choices(), f"the choices of the last time cannot be read ({why(error)}): they start anew"
    try:
        if content.pop("format", None) != FORMAT:
            return first_choices(), f"the choices of the last time are of another version of rtaffect ({path}): anew"
        return TypeAdapter(Choices).validate_python(content), ""
    except ValidationError as error:
        wrong = first_problem(error, Choices)
        return first_choices(), f"the choices of the last time are damaged ({wrong}): they start anew"


def remember(choices: Choices) -> str:
    """Keep ``choices`` but for what belongs to one session; return a note where that is impossible, else ''."""
    kept = replace(choices, **_OF_ONE_SESSION)  # type: ignore[arg-type]
    content: dict[str, Any] = {"format": FORMAT, **without_none(asdict(kept))}
    path = memory_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, tomli_w.dumps(content))
    except OSError as error:
        return f"the choices could not be kept for the next time ({error.strerror}: {path})"
    return ""
