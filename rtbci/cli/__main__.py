"""`python -m rtbci.cli` is `rtbci`."""

from rtbci.cli import main

main()
