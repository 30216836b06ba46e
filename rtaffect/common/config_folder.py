"""Where what is kept of the user's choices lies."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_config_path


def config_folder() -> Path:
    """Return RTAFFECT_CONFIG, or the user's configuration folder of rtaffect."""
    override = os.environ.get("RTAFFECT_CONFIG")
    return Path(override) if override else user_config_path("rtaffect")
