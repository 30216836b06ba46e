"""The command line: one table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import io
import sys

import click

from rtaffect import __version__
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.given import refuse_twice
from rtaffect.common.offline import lacking, offline_module
from rtaffect.common.quiet_lsl import quiet_lsl
from rtaffect.common.text import printable

#: Where each command is, and what it does: a module that holds it as ``command``, or as the name after a colon.
COMMANDS = {
    "demo": ("rtaffect.cli.sessions:demo", "A whole session with a synthetic participant: no hardware needed."),
    "live": (
        "rtaffect.cli.sessions:live",
        "A session with headsets on the network and sound from a file, device or stream.",
    ),
    "replay": ("rtaffect.cli.sessions:replay", "A recorded session (XDF) through the same code as a live one."),
    "start": ("rtaffect.cli.start", "The window in which a session is put together; the same as no command."),
    "protocol": ("rtaffect.cli.protocol:protocol", "Check a session's protocol, or copy the shipped ones."),
    "allocate": ("rtaffect.cli.protocol:allocate", "Draw which participant is in which arm, and seal it."),
    "unblind": ("rtaffect.cli.protocol:unblind", "Open a sealed allocation, on record."),
    "scrub": ("rtaffect.cli.scrub", "Remove the recorded sound, and so voices, from sessions."),
    "report": ("calibration.finished.report.command", "The report of a recorded session, or of a group of them."),
    "export-bids": ("calibration.finished.bids.command", "Write recorded sessions as a BIDS dataset."),
    "simulate": ("rtaffect.cli.simulate", "Write a synthetic study: sounds, recordings and the planted truth."),
    "simulate-headset": (
        "rtaffect.cli.simulate_headset",
        "Send what a headset sends, by its device profile.",
    ),
    "calibrate": ("calibration.command", "Fit a bundle (weights and references) to a study."),
    "affect": ("calibration.affect.command", "Train valence and arousal from EEG and sound on a rated study."),
    "covariates": ("calibration.covariates", "Light, motion and cuts of a film's picture, as a study's covariates."),
    "export": ("models.command", "Turn a speech encoder (wav2vec 2.0, HuBERT, WavLM) into a streaming featurizer."),
    "featurizers": ("models.featurizers", "Which featurizers are installed, and which encoders can become one."),
    "headmodel": ("calibration.head.command", "The operator from a montage's channels to 68 brain regions."),
    "devices": ("rtaffect.cli.devices", "What LSL streams and sound devices there are."),
    "contact": ("rtaffect.cli.contact", "Whether the electrodes of headsets touch, before a session."),
    "certify": ("rtaffect.cli.certify", "Measure the timing of this computer, from clicks to the step and the screen."),
    "soundcheck": ("rtaffect.cli.soundcheck", "How loud a session's sound is, set by ear, and how late it is heard."),
    "lightcheck": ("rtaffect.cli.lightcheck", "How late the participant's screen is, seen by a photodiode."),
    "doctor": ("rtaffect.cli.doctor", "What is installed and works, and what to do about what does not."),
}


def unfit(text: str) -> str:
    """Return in words why an argument is no text; '' for nothing."""
    if "\0" in text:
        return "has a NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return ""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that each starts fast and needs only its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what is no text, once for all commands: no plan, table or terminal can hold it."""
        for text in args:
            if wrong := unfit(text):
                said = text.encode("unicode_escape").decode()[:80]
                raise SettingsError(f"the argument {said} {wrong}; expected a text of UTF-8")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and refuse options that it is given twice, once for all commands."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            refuse_twice(command, click.Context(command, info_name=name, parent=ctx), rest)
        return name, command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        load = importlib.import_module if module.startswith("rtaffect.") else offline_module
        command: click.Command = getattr(load(module), name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="rtaffect")
@click.pass_context
def cli(context: click.Context) -> None:
    """Predicts the inter-subject EEG synchrony that a sound evokes, and observes it, live, once a second.

    Without a command it opens the start window.
    """
    if context.invoked_subcommand is not None:
        return
    from rtaffect.common.screen import has_screen

    if not has_screen():
        click.echo(context.get_help())
        return
    command = cli.get_command(context, "start")
    assert command is not None
    context.invoke(command)


def main() -> None:
    """Run the command line; a mistake of the user's ends in one line and status 2, data elsewhere or lost in 3."""
    for stream in (sys.stdout, sys.stderr):
        # A name that is not UTF-8, or not of the terminal's own encoding, is shown by its codes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    quiet_lsl()
    try:
        cli(prog_name="rtaffect")
    except (RtaffectError, ModuleNotFoundError) as error:
        said = lacking(error) if isinstance(error, ModuleNotFoundError) else error
        if not isinstance(said, RtaffectError):
            raise
        print(f"rtaffect: {printable(str(said))}", file=sys.stderr)
        sys.exit(said.status)
