"""What training says of a network that learned to do without channels."""

import pytest
import torch
from test_training import config_of, folder

from rtbci.errors import ConfigError
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.bad_channels import MaskConfig
from rtbci.training.batches import Batch
from rtbci.training.data import with_mask
from rtbci.training.held_out import without_channels
from rtbci.training.train import train

__all__ = ["folder"]


def test_channel_dropout_makes_a_mask_of_as_many_channels_as_it_takes_away(folder):
    config = config_of(folder, "augment.channel_dropout=0.2")
    banana = config.pipeline.model_copy(
        update={"montage": config.pipeline.montage.model_copy(update={"channels": tuple(f"E{i}" for i in range(18))})}
    )
    # Binomial(18, 0.2): 8 or fewer in 99.6 %, 7 or fewer in 98.4 %.
    assert with_mask(banana, config.augment).mask == MaskConfig(most=8)
    assert with_mask(config.pipeline, config.augment).mask == MaskConfig(most=1), "never all of them"
    assert with_mask(config.pipeline, config_of(folder).augment).mask is None


def test_a_mask_without_channel_dropout_is_refused(folder):
    with pytest.raises(ConfigError, match="channel_dropout"):
        config_of(folder, "pipeline.mask.most=1")


def test_the_held_out_recordings_are_scored_with_channels_masked(folder, tmp_path):
    train(config_of(folder, "augment.channel_dropout=0.2", "training.epochs=2"), tmp_path / "out.rtbci")
    pipeline = Pipeline.load(tmp_path / "out.rtbci")
    assert pipeline.config.mask == MaskConfig(most=1)
    rows = pipeline.notes["scores"]["masked"]
    assert [row["masked"] for row in rows] == [0, 1]
    assert rows[0]["held_out_auroc"] == pytest.approx(pipeline.notes["training"]["best"]["held_out_auroc"], abs=1e-4)


def test_each_row_loses_its_own_channels():
    batch = Batch(torch.ones(2, 5, 3), torch.ones(2, 5, 1), torch.ones(2, 5), torch.ones(2))
    x = without_channels(batch, [torch.tensor([0, 2]).numpy(), torch.tensor([1]).numpy()]).x
    assert x[:, 0].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert batch.x.all()
