"""Real recordings: those of tests/data, which everybody has, and those that may not be handed on."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def find_data(name: str) -> Path:
    """A file or folder of tests/data, or of ../shared/data; the test is skipped where neither has it."""
    for folder in (DATA, SHARED):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"needs {name} in {SHARED}: its licence does not let it stand in tests/data, or it is too large")
