"""The command line: one file per command."""


def main() -> None:
    """Run a command; a user's mistake is reported in one line, with exit code 2."""
    from rtbci.cli.app import main as run

    run()
