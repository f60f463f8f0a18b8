"""Fuzz every parser of ours, guided by coverage: python tools/fuzz.py [TARGET…] --seconds 60; needs the extra `fuzz`.

A finding is a file of its own, FINDINGS/TARGET-xxxxxxxx; `tools/fuzz.py TARGET --input FILE` runs that one input again,
without atheris. Exit code 0: nothing was found; 1: something was; 2: a mistake in the call.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(10**9), 0.5, 1e-300, 1e300, -1e300, 5e-324, 1.7e308,
    "", "x", "\0", "\x1b[2J", "\u202e", "\ud800", "n/a", "NaN", "1e999", "x" * 5000, [], {}, [[]], [0] * 300, {"": 0},
)  # fmt: skip
HANG_S = 30  # libFuzzer ends the process
MORE_BYTES = 4 << 30
MOST_NODES = 5000  # of a tree that is mutated


def main() -> int:
    """Fuzz the targets one after the other, or run one input."""
    asked = _arguments()
    if asked.inside:
        return _fuzz(asked.targets[0], asked)
    known = _targets()
    if asked.list:
        print("\n".join(f"{name:18} {(target.run.__doc__ or '').splitlines()[0]}" for name, target in known.items()))
        return 0
    if unknown := [name for name in asked.targets if name not in known]:
        return _mistake(f"there is no target {unknown[0]!r}; there are {', '.join(known)}")
    if asked.input:
        return _again(known[asked.targets[0]], asked.input) if asked.targets else _mistake("--input wants its TARGET")
    if not _has_atheris():
        return _mistake("atheris is not installed: pip install '.[fuzz]' (Linux and macOS)")
    rows = [_one(name, asked) for name in asked.targets or known]
    for row in rows:
        print(f"{row['target']:18} {row['inputs']:>9} inputs  {row['coverage']:>6} edges  {row['findings']} findings")
    n_inputs, n_findings = (sum(row[key] for row in rows) for key in ("inputs", "findings"))
    print(f"{'in all':18} {n_inputs:>9} inputs in {sum(r['seconds'] for r in rows):.0f} s, {n_findings} findings")
    return int(n_findings > 0)


def _has_atheris() -> bool:
    try:
        return importlib.util.find_spec("atheris") is not None
    except ValueError:  # it is imported, or kept out
        return sys.modules["atheris"] is not None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them, if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--corpus", type=Path, help="keep what led to new coverage here, and begin with it")
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz-findings"), help="folder for findings (%(default)s)"
    )
    parser.add_argument("--input", type=Path, help="run this one input again")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--inside", help=argparse.SUPPRESS)  # the process that fuzzes: its folder of seeds
    return parser.parse_args()


def _mistake(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 2


def _again(target: Any, path: Path) -> int:
    from fuzzing.contract import Fault, check

    try:
        check(target, path.read_bytes())
    except OSError as error:
        return _mistake(f"{path}: {error.strerror}")
    except Fault as fault:
        import traceback

        if fault.__cause__ is not None:
            traceback.print_exception(fault.__cause__)
        print(f"fault: {fault}")
        return 1
    print("kept: a value, or an error in one line")
    return 0


# -- around the process that fuzzes -------------------------------------------------------------------------------


def _one(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Fuzz one target in a process of its own; begin anew where liblsl, Qt or a hang took the process down."""
    asked.findings.mkdir(parents=True, exist_ok=True)
    before = set(asked.findings.glob(f"{name}-*"))
    began, inputs, coverage = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="rtbci-seeds-") as folder:
        seeds = str(Path(folder) / "seeds")
        Path(seeds).mkdir()
        while (left := asked.seconds - int(time.monotonic() - began)) > 0:
            command = [sys.executable, __file__, name, "--inside", seeds, "--seconds", str(left)]
            command += ["--findings", str(asked.findings)] + (["--corpus", str(asked.corpus)] if asked.corpus else [])
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            said = done.stdout.decode(errors="replace")
            inputs += _last(r"number_of_executed_units:\s*(\d+)", said)
            coverage = max(coverage, _last(r"cov: (\d+)", said))
            if not _last(r"number_of_executed_units:\s*(\d+)", said):
                raise SystemExit(f"{name}: the fuzzer did not start:\n{said[-3000:]}")
    found = sorted(p for p in set(asked.findings.glob(f"{name}-*")) - before if p.suffix != ".txt")
    for path in found:
        note = path.with_suffix(".txt")
        print(f"FINDING {path}: {note.read_text().splitlines()[0] if note.exists() else 'the process died or hung'}")
    seconds = time.monotonic() - began
    row = {"target": name, "inputs": inputs, "coverage": coverage, "findings": len(found), "seconds": seconds}
    print(f"{name}: {inputs} inputs in {seconds:.0f} s, {coverage} edges, {len(found)} findings", flush=True)
    return row


def _last(pattern: str, text: str) -> int:
    return int((re.findall(pattern, text) or ["0"])[-1])


# -- inside it ----------------------------------------------------------------------------------------------------


def _targets() -> dict[str, Any]:
    # Nothing that liblsl does here leaves the machine.
    path = Path(tempfile.mkdtemp(prefix="rtbci-fuzz-lsl-")) / "lsl_api.cfg"
    path.write_text("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n[log]\nlevel = -3\n")
    os.environ.setdefault("LSLAPICFG", str(path))
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from fuzzing.targets import TARGETS

    return TARGETS


def _instrumented_targets() -> dict[str, Any]:
    import atheris

    with atheris.instrument_imports(include=["rtbci", "tomllib", "zipfile", "pyxdf", "csv"]):
        return _targets()


def _fuzz(name: str, asked: argparse.Namespace) -> int:
    import atheris
    from fuzzing.contract import SCRATCH, Fault, check

    target = _instrumented_targets()[name]
    # Where a parser asks for more, it gets a MemoryError, and the machine lives on.
    resource.setrlimit(resource.RLIMIT_AS, (_size_bytes() + MORE_BYTES,) * 2)
    seeds = Path(asked.inside)
    for k, seed in enumerate(target.seeds()):
        (seeds / f"seed-{k}").write_bytes(seed)
    corpus = [str(asked.corpus / name)] if asked.corpus else []
    for folder in corpus:
        Path(folder).mkdir(parents=True, exist_ok=True)

    def test(data: bytes) -> None:
        try:
            check(target, data)
        except Fault as fault:
            _keep(asked.findings, name, fault, data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if target.tree and draw.random() < 0.8 and 0 < len(other := mutated(data, draw)) <= max_size:
            return other
        return bytes(atheris.Mutate(data, max_size))

    options = [f"-max_total_time={asked.seconds}", f"-timeout={HANG_S}", "-rss_limit_mb=0", "-print_final_stats=1"]
    options += [
        f"-max_len={max(4096, 2 * max(len(s) for s in target.seeds()))}",
        f"-artifact_prefix={asked.findings / name}-",
    ]
    if target.words:
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
        (dictionary := seeds.with_suffix(".dict")).write_text("".join(f'"{word}"\n' for word in escaped))
        options.append(f"-dict={dictionary}")
    atheris.Setup([sys.argv[0], *options, *corpus, str(seeds)], test, custom_mutator=mutate)
    assert SCRATCH.exists()
    atheris.Fuzz()
    return 0


def _size_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _keep(folder: Path, name: str, fault: Any, data: bytes) -> None:
    """The shortest input of each kind of fault."""
    path = folder / f"{name}-{hashlib.sha256(fault.key.encode()).hexdigest()[:8]}"
    if not path.exists() or len(data) < path.stat().st_size:
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{fault}\n", errors="replace")


def mutated(data: bytes, draw: random.Random) -> bytes:
    """JSON with a node or a few replaced, removed, repeated, renamed or buried; b"" where it is none."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return b""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        tree = _changed(tree, draw)
    return json.dumps(tree).encode()


def _changed(tree: Any, draw: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []
    open_nodes = [tree]
    while open_nodes and len(places) < MOST_NODES:
        node = open_nodes.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        places += [(node, key) for key in keys]
        open_nodes += [node[key] for key in keys]
    if not places or draw.random() < 0.02:
        return deepcopy(draw.choice(HOSTILE))
    node, key = draw.choice(places)
    what = draw.random()
    if what < 0.6:
        node[key] = (
            deepcopy(draw.choice(HOSTILE)) if not _number(node[key]) or draw.random() < 0.5 else _near(node[key], draw)
        )
    elif what < 0.7:
        del node[key]
    elif what < 0.8 and isinstance(node, dict):
        node[str(draw.choice(HOSTILE))[:100]] = node[key]
    elif what < 0.9 and isinstance(node, list):
        node += json.loads(json.dumps(node[: draw.choice((1, 10, 1000))]))
    else:
        other, where = draw.choice(places)
        node[key] = json.loads(json.dumps(other[where]))
    return tree


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _near(value: float, draw: random.Random) -> float:
    return draw.choice((-value, value + 1, value - 1, value * 2, value * 1000, value / 1000, round(value, 1)))


if __name__ == "__main__":
    sys.exit(main())
