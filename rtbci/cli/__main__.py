"""`python -m rtbci.cli` is `rtbci`."""

from rtbci.cli.app import main

main()
