"""The command line: one file a command."""


def main() -> None:
    """Run a command; a user's mistake is one line and exit code 2."""
    from rtbci.cli.app import main as run

    run()
