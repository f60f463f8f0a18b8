"""`rtbci config`: what a key of a config means, its type, bounds, default and unit."""

from __future__ import annotations

from rtbci.cli.terminal import Terminal
from rtbci.results import Result, print_json
from rtbci.training.config_keys import Key, all_keys, matching, sections


class ConfigKeys(Result):
    """Keys of a config."""

    keys: tuple[Key, ...]
    """Those that the word means; without a word, all."""


def show_keys(wanted: str | None, *, json: bool) -> None:
    """Print the keys that a word means, or the tables. Raises ConfigError for a word that is no key."""
    keys = all_keys() if wanted is None else matching(wanted)
    if json:
        return print_json(ConfigKeys(keys=keys))
    console = Terminal()
    if wanted is None:
        _print_sections(console)
    else:
        for key in keys:
            _print_key(console, key)


def _print_sections(console: Terminal) -> None:
    rows = [(f"{one.key} ({one.kind})" if one.kind else one.key, one.meaning) for one, _ in sections()]
    wide = max(len(name) for name, _ in rows) + 2
    for name, meaning in rows:
        console.print(f"{name:{wide}}{meaning}", no_wrap=True, overflow="ellipsis", crop=console.is_terminal)
    console.print(
        "\n`rtbci config KEY` explains a table, a key or a kind: pipeline.filters, low_hz, shared_conv_lstm; docs/config.md has "
        "them all",
        soft_wrap=True,
    )


def _print_key(console: Terminal, key: Key) -> None:
    kind = f"  (of {key.kind})" if key.kind else ""
    console.print(f"{key.key}{kind}", soft_wrap=True)
    facts = [key.type, key.bounds, key.unit, f"default: {key.default or 'none'}"]
    console.print(f"    {', '.join(fact for fact in facts if fact)}", soft_wrap=True)
    console.print(f"    {key.meaning}", soft_wrap=True)
