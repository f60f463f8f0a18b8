import itertools
from pathlib import Path

import pytest
from rich.console import Console

from rtbci.bench.soak import seeded_faults, soak
from rtbci.bench.tagging import write_noise
from rtbci.bundled import PIPELINE


def test_a_short_soak_accounts_for_every_sample_and_gives_the_offline_events(tmp_path: Path) -> None:
    if not PIPELINE.exists():
        pytest.skip("the bundled pipeline has not been built")
    recording = tmp_path / "soak.edf"
    write_noise(recording, 0.15)
    result = soak(recording, str(PIPELINE), 0.15, seed=3, console=Console(quiet=True))
    kept = result.kept
    assert kept["every sample sent was received"], result.figures
    assert kept["processed and declared lost make the whole"], result.figures
    assert kept["events are those of the offline answer"], result.figures
    assert result.reconnects == 1


def test_the_faults_of_a_seed_are_always_the_same_and_apart_from_each_other() -> None:
    faults = seeded_faults(24, 1)
    assert faults == seeded_faults(24, 1)
    assert faults != seeded_faults(24, 2)
    starts = sorted([*(at for at, _ in faults.gaps), *faults.reconnect_at_s])
    assert len(starts) == 168
    assert min(b - a for a, b in itertools.pairwise(starts)) >= 60
