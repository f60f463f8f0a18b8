"""The command line: all commands, and what becomes of an error."""

from __future__ import annotations

import sys
from typing import Any

import typer

from rtbci.cli import live_commands, offline_commands
from rtbci.cli.benches import bench
from rtbci.cli.root import app
from rtbci.errors import EngineFailed, RtbciError
from rtbci.text import one_line

COMMANDS = (live_commands, offline_commands)  # registered by being imported

app.add_typer(bench, name="bench")


def main() -> None:
    """Run a command; a user's mistake is one line and exit code 2."""
    from rtbci.cli.output import keep_standard_descriptors

    keep_standard_descriptors()
    try:
        code: Any = app(standalone_mode=False)
    except RtbciError as error:
        _fail(str(error))
    except typer.TyperException as error:
        _fail(error.format_message())
    except EngineFailed as error:
        _say(f"error: {error}")
        sys.exit(1)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(text: str) -> None:
    _say(f"error: {one_line(text)}")
    sys.exit(2)


def _say(text: str) -> None:
    if sys.stderr is not None:  # it was closed before the start
        sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
