"""The command line: one file per command."""

import sys


def main() -> None:
    """Run a command; a user's mistake is reported in one line, with exit code 2."""
    try:
        from rtbci.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while the command is still being imported
        sys.exit(130)
