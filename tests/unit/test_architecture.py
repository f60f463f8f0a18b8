"""The page of the architecture and the folders agree."""

import re
import tomllib
from pathlib import Path

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
IGNORED = {"__pycache__", "__init__.py", "__init__.pyi", "py.typed", "_version.py"}


def rooms_of_the_page() -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.split("## Rooms")[1].split("A room imports")[0]
    return [
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(.+?)`", row.split("|")[1])
    ]


def test_the_page_names_every_room_and_no_other() -> None:
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "rtbci").iterdir() if path.name not in IGNORED}
    assert sorted(rooms_of_the_page()) == sorted(there)


def test_the_page_and_the_contract_have_the_same_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["rtbci"])
    level = {room.strip(): n for n, layer in enumerate(reversed(layers)) for room in re.split(r"[|:]", layer)}
    order = [name.removesuffix(".py").rstrip("/") for name in rooms_of_the_page()]
    levels = [level[name] for name in order if name in level]
    assert levels == sorted(levels)


def test_each_room_says_its_one_job_in_its_first_line() -> None:
    for folder in (ROOT / "rtbci").rglob("__init__.py"):
        first = folder.read_text("utf-8").split("\n")[0]
        assert re.fullmatch(r'""".+[.:]"""|""".+', first), folder
