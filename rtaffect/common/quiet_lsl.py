"""liblsl's own log lines, which tell of nothing a person needs, are kept off the terminal."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

VARIABLE = "LSLAPICFG"


def quiet_lsl() -> None:
    """Let liblsl log warnings and errors alone, here and in child processes; a lab's own configuration stays.

    To be called before liblsl is first used. Where it looks for a configuration:
    https://labstreaminglayer.readthedocs.io/info/lslapicfg.html
    """
    own = (Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    ours = Path(str(resources.files("rtaffect.common") / "lsl_api.cfg"))
    if VARIABLE not in os.environ and ours.is_file() and not any(path.is_file() for path in own):
        os.environ[VARIABLE] = str(ours)
