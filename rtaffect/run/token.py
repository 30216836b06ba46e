"""What other computers have to know before they may control a session, or watch it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.reading import read_bytes, why
from rtaffect.plan.programs_plan import Address

#: Fewest letters of a token.
LEAST_TOKEN: Final = 16


def read_token(address: Address, file: Path | None, option: str, variable: str, could: str) -> str:
    """Return the token of what is served at ``address``; '' where none is needed.

    Parameters
    ----------
    address
        Where it is served.
    file
        Its first line is the token; None: that is in the environment's ``variable``, if anywhere.
    option
        What serves it; that which names the file is called so with ``-token``.
    variable
        Of the environment.
    could
        What would be possible without one, in words.

    Raises
    ------
    SettingsError
        If it is missing where other computers can connect, or too short, or cannot be read.
    """
    name = f"{option}-token"
    where, token = setting(name, file or ""), os.environ.get(variable, "").strip()
    if file is not None:
        try:
            token = read_bytes(file, most=1 << 16).decode("utf-8").partition("\n")[0].strip()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{where} cannot be read ({why(error)})", "a file whose first line is the token"
            ) from None
    elif token:
        where = variable
    if (file is not None or token) and len(token) < LEAST_TOKEN:
        has = f"has {len(token)} letters" if token else "is empty, or its first line is"
        raise SettingsError(f"{where} {has}", f"{LEAST_TOKEN} or more letters, that nobody can guess")
    if not token and not address.is_here:
        raise SettingsError(
            f"{setting(option, address)}: {could}",
            remedy=f"give a token {setting(name, metavar='FILE')}, or serve this computer alone, by "
            f"{setting(option, address.port)}",
            field=name,
        )
    return token
