"""The command line's root: what all commands have in common."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rtbci.cli.commands import Commands

app = typer.Typer(
    cls=Commands,
    help="Real-time streaming BCI classifier: train on your recordings, go live on your amplifier, get the same answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rtbci.provenance import __version__, commit

        sys.stdout.write(f"rtbci {__version__} {commit() or ''}".rstrip() + "\n")
        raise typer.Exit()


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass
