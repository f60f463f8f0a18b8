"""The page of every key of a config: `python tools/config_reference.py > docs/config.md`."""

from __future__ import annotations

from rtbci.training.config_keys import Key, sections

HEAD = """\
# The keys of a config

Made by `python tools/config_reference.py > docs/config.md` from the models that read a config; a test holds the two
together. `rtbci config KEY` shows the same. A config is TOML; an unknown key, a wrong type, and a value outside its bounds
are errors that name the key. `--set a.b=c` overrides a value. What has no default and is not required may be left out. The
folder `configs/` has whole examples, and a table of several kinds, as `[pipeline.model]`, has the keys of its `kind`.
"""


def page() -> str:
    """Markdown: a table of keys for each table of a config."""
    parts = [HEAD]
    for section, keys in sections():
        listed = section.key.endswith("[]")
        name = section.key.removesuffix("[]") or "the whole"
        title = f"[[{name}]]" if listed else f"[{name}]"
        kind = f', `kind = "{section.kind}"`' if section.kind else ""
        parts.append(f"## `{title}`{kind}\n\n{section.meaning}\n")
        parts.append("| key | type | default | meaning |\n|---|---|---|---|\n" + "".join(map(_row, keys)))
    return "\n".join(parts)


def _row(key: Key) -> str:
    facts = ", ".join(fact for fact in (key.type, key.bounds, key.unit) if fact)
    default = f"`{key.default}`" if key.default and key.default != "required" else key.default
    return f"| `{key.key.rpartition('.')[2]}` | {facts} | {default} | {key.meaning} |\n"


if __name__ == "__main__":
    print(page(), end="")
