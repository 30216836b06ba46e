"""The commands ``protocol``, ``allocate`` and ``unblind``: what happens in a session, and who is shown what."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.given import refuse_given
from rtaffect.common.listing import print_table
from rtaffect.common.option_types import PATH, Whole
from rtaffect.common.settings import Settings, SynchronySettings
from rtaffect.common.terminal import Terminal
from rtaffect.common.text import printable
from rtaffect.common.words import minutes
from rtaffect.protocol.allocation import MOST_PARTICIPANTS, draw
from rtaffect.protocol.donors import open_donor
from rtaffect.protocol.measured import check_measure
from rtaffect.protocol.model import LEAD_S, MEAN, Protocol
from rtaffect.protocol.reading import check_rows, inspect_protocol, practice_alone, read_protocol, window_problems
from rtaffect.protocol.seal import key_beside, seal, unseal
from rtaffect.protocol.success_by_chance import about_success
from rtaffect.protocol.unblinding import check_session, note_opening

_path = PATH


@click.group("protocol")
def protocol() -> None:
    """Check a protocol, or copy the shipped ones."""


@protocol.command("check")
@click.argument("file", type=_path)
@click.option("--bundle", type=_path, help="Bundle of the sessions: its rows, window and sounds are compared.")
@click.option("--measure", "measures", multiple=True, metavar="NAME", help="Own measure of the sessions, as of live.")
@click.option("--measure-band", "bands", multiple=True, metavar="HZ", help="Band of such measures [default: 8-12].")
@click.pass_context
def check_file(
    ctx: click.Context, file: Path, bundle: Path | None, measures: tuple[str, ...], bands: tuple[str, ...]
) -> None:
    """Show the blocks of a protocol with their times, or all that is wrong with it; then the exit status is 2."""
    console = Terminal()
    if not measures:
        refuse_given(("bands",), "is for own measures, and no --measure is given", "give one, or leave it out")
    found, problems = inspect_protocol(file)
    remarks: list[str] = []
    if found is not None:
        more, remarks = _in_session(found, bundle)
        problems += [*more, *_about_measure(found, bundle, measures, bands or ("8-12",))]
        if not problems:
            remarks += _about_films(found)
    if found is None or problems:
        console.print(Text(f"{file}: {len(problems)} problem{'s' if len(problems) > 1 else ''}", "bold red"))
        for problem in problems:
            console.print(Text(problem), soft_wrap=True)
        ctx.exit(2)
    _show(console, found)
    for remark in remarks:
        console.print(Text(remark, "yellow"), soft_wrap=True)


def _about_films(found: Protocol) -> list[str]:
    """Return a line on each film."""
    from rtaffect.sources.film_file import inspect_film
    from rtaffect.stream.sound_reading import sound_length

    films = dict.fromkeys(block.picture for block in found.blocks if block.picture is not None)
    return [inspect_film(film).describe(film.name, sound_length(film).seconds) for film in films]


def _in_session(found: Protocol, bundle: Path | None) -> tuple[list[str], list[str]]:
    """Return what is wrong with donors, window and rows, and what is to be known about the sounds."""
    problems: list[str] = []
    remarks: list[str] = practice_alone(found)
    for donor in found.donors:
        try:
            open_donor(found, found.located(donor))
        except RtaffectError as error:
            problems.append(str(error))
    if bundle is None:
        window_s = SynchronySettings().window_s
        return problems + window_problems(found, window_s), [*remarks, *about_success(found, window_s)]
    from rtaffect.engine.bundle import load_bundle
    from rtaffect.stream.audio import read_sound, sound_sha256
    from rtaffect.stream.sound_reading import sound_length

    manifest = load_bundle(bundle).manifest
    problems += window_problems(found, manifest.settings.synchrony.window_s)
    remarks += about_success(found, manifest.settings.synchrony.window_s)
    try:
        check_rows(found, manifest.rows)
    except SettingsError as error:
        problems.append(str(error))
    known = {stimulus.sha256 for stimulus in manifest.stimuli}
    for sound in dict.fromkeys(block.sound for block in found.blocks if block.sound is not None):
        try:
            samples, _ = read_sound(sound)
        except RtaffectError as error:
            problems.append(str(error))
            continue
        remarks += sound_length(sound).notes
        if sound_sha256(samples) not in known:
            remarks.append(
                f"{sound.name} is not among the bundle's sounds: there is a prediction, but no reference group; people "
                "can only be compared with each other"
            )
    return problems, remarks


def _about_measure(found: Protocol, bundle: Path | None, asked: tuple[str, ...], bands: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the measure that the rule is of; its rows can be told where the channels are known."""
    from rtaffect.measures.choice import choose_measures
    from rtaffect.observed.autonomic import Autonomic

    rule = found.feedback
    try:
        channels: tuple[str, ...] = ()
        signal = Settings().signal
        if bundle is not None:
            from rtaffect.engine.bundle import load_bundle

            manifest = load_bundle(bundle).manifest
            channels, signal = manifest.channels, manifest.settings.signal
        chosen = choose_measures(asked, bands, signal, channels or tuple(name for name in rule.rows if name != MEAN))
        if rule.measure not in (None, Autonomic.name):
            check_measure(found.name, rule, chosen)
    except RtaffectError as error:
        return [str(error)]
    return []


def _show(console: Console, found: Protocol) -> None:
    rows = []
    begins = found.lead_s if found.blocks[0].start == "auto" else 0
    for block in found.blocks:
        if block.start == "operator" and block.sound is not None:
            begins += LEAD_S
        seconds = block.seconds or 0
        start = "key" if block.start == "operator" else "by itself"
        sound = "" if block.sound is None else block.sound.name
        rows.append((str(block.number), block.name, minutes(begins), minutes(seconds), block.kind, start, sound))
        begins += seconds
    print_table(console, found.name, ("", "Name", "Begins", "Lasts", "Kind", "Start", "Sound"), rows, named=2)
    rule = found.feedback
    lines = [
        f"{minutes(found.seconds or 0)} in all, without waiting for the operator; SHA-256 {found.sha256}",
        f"Feedback: {rule.words} of "
        f"{', '.join(rule.rows)} over {rule.smoothing_s} s, scale {rule.scale}, as {rule.show}",
        *(f"Arm {arm.name}: {_arm_in_words(arm.feedback, len(arm.donors), arm.delay_s)}" for arm in found.arms),
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _arm_in_words(feedback: str, donors: int, delay_s: int | None) -> str:
    if feedback == "yoked":
        return f"another session's feedback, of {donors}"
    return "own feedback" if delay_s is None else f"own feedback, {delay_s} s late"


@protocol.command("examples")
@click.option("--out", required=True, type=_path, help="Folder for them; made if absent.")
def examples(out: Path) -> None:
    """Copy the shipped protocols, to adapt them."""
    shipped = resources.files("rtaffect.protocol").joinpath("examples").iterdir()
    files = sorted((file for file in shipped if file.name.endswith(".toml")), key=lambda file: file.name)
    if there := [file.name for file in files if (out / file.name).exists()]:
        raise SettingsError(f"--out {out} already has {', '.join(there)}; name another folder, nothing is overwritten")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file in files:
            (out / file.name).write_bytes(file.read_bytes())
            click.echo(printable(str(out / file.name)))
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be written ({error.strerror}); name another folder") from None


@click.command("allocate")
@click.argument("file", type=_path, metavar="PROTOCOL")
@click.option("--participants", metavar="P01,P02,...", help="Their codes, in the order in which they come.")
@click.option("--count", type=Whole(1, MOST_PARTICIPANTS), help="Or how many there are; their codes are numbered.")
@click.option("--prefix", default="P", show_default=True, help="With --count: what goes before the number.")
@click.option("--seed", type=Whole(0, 2**63 - 1), help="To draw the same again [default: drawn too, and sealed].")
@click.option(
    "--block-size",
    type=Whole(1, MOST_PARTICIPANTS),
    help="Participants among whom all arms are equally often [default: 2 per arm].",
)
@click.option("--out", required=True, type=_path, help="New file for the sealed allocation.")
@click.option("--key", type=_path, help="New file for its key and the sessions' codes [default: beside it, .key].")
def allocate(
    file: Path,
    participants: str | None,
    count: int | None,
    prefix: str,
    seed: int | None,
    block_size: int | None,
    out: Path,
    key: Path | None,
) -> None:
    """Draw which participant is in which arm of PROTOCOL, and seal it: nobody sees it until `unblind`.

    The key, and the code that each participant's session needs, are for whoever leads the study and runs no sessions.
    """
    if (participants is None) == (count is None):
        raise SettingsError("give either --participants or --count: who is to be allocated")
    if count is None:
        refuse_given(["prefix"], "is for codes that --count numbers, and --participants names them")
    codes = [code.strip() for code in participants.split(",")] if participants is not None else numbered(prefix, count)
    drawn = draw(read_protocol(file), codes, block_size=block_size, seed=seed)
    sha256 = seal(drawn, out, key)
    click.echo(f"{printable(str(out))}: {len(codes)} participants, {codes[0]} to {codes[-1]}, sealed")
    click.echo(f"SHA-256 {sha256}")
    said = printable(str(key or key_beside(out)))
    click.echo(f"{said}: its key and the sessions' codes; take it away from where sessions are run, and keep a copy")


def numbered(prefix: str, count: int | None) -> list[str]:
    """Return ``count`` codes: P01, P02, ...; as many digits as the last one needs, at least two."""
    last = count or 0
    return [f"{prefix}{number:0{max(2, len(str(last)))}d}" for number in range(1, last + 1)]


@click.command("unblind")
@click.argument("file", type=_path, metavar="ALLOCATION")
@click.argument("folders", nargs=-1, type=_path, metavar="[SESSION_FOLDER]...")
@click.option("--key", type=_path, help="The allocation's key [default: beside it, .key].")
@click.pass_context
def unblind(ctx: click.Context, file: Path, folders: tuple[Path, ...], key: Path | None) -> None:
    """Open a sealed allocation, and note in unblinded.toml beside it that it was opened.

    Each session's folder is held against it; where one does not fit, the exit status is 1.
    """
    console = Terminal()
    allocation, sha256 = unseal(file, key)
    checks = [check_session(folder, allocation, sha256) for folder in folders]
    notes = note_opening(file, allocation, sha256, checks)
    ran: dict[str, list[str]] = {}
    for fitting in (check for check in checks if not check.problem):
        ran.setdefault(fitting.participant, []).append(str(fitting.folder))
    heads = ["Participant", "Arm", "Donor", *(["Session"] if folders else [])]
    rows = []
    for one in allocation.assigned:
        session = [", ".join(ran.get(one.participant, []))] if folders else []
        rows.append((one.participant, one.arm, one.donor or "", *session))
    print_table(console, allocation.protocol, heads, rows)
    console.print(Text(f"SHA-256 {sha256}, seed {allocation.seed}, blocks of {allocation.block_size}"), soft_wrap=True)
    console.print(Text(f"This opening is noted in {notes}"), soft_wrap=True)
    wrong = [check for check in checks if check.problem]
    for check in wrong:
        console.print(Text(f"{check.folder}: {check.problem}", "red"), soft_wrap=True)
    if wrong:
        ctx.exit(1)
