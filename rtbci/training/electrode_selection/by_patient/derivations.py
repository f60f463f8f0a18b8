"""The training data of a montage, as a network on some of its derivations gets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rtbci.training.batches import Batch, Batches
from rtbci.training.data import Data, with_mask, with_sizes
from rtbci.training.electrode_selection.comparison import narrowed


class OnDerivations(Data):
    """Sequences are varied as a whole montage, then cut.

    So a set needs no counterparts to be mirrored, and every set is fitted to the same sequences.

    Parameters
    ----------
    data
        Of the whole montage, with nothing held out.
    derivations
        Indices.
    """

    def __init__(self, data: Data, derivations: Sequence[int]) -> None:
        mask = data.config.pipeline.mask
        if mask is not None:
            mask = mask.model_copy(update={"most": min(mask.most, len(derivations) - 1)})
        config = narrowed(data.pipeline_config, derivations).model_copy(update={"mask": mask})
        super().__init__(data.config, with_mask(with_sizes(config), data.config.augment), data.training)
        self._whole, self._derivations = data, list(derivations)

    def training_batches(self, epoch: int) -> Batches:
        """Those of the montage, cut."""
        return _Cut(self._whole.training_batches(epoch), self._derivations)


@dataclass(frozen=True)
class _Cut:
    """Batches with some of their channels."""

    batches: Batches
    channels: list[int]

    @property
    def n_batches(self) -> int:
        return self.batches.n_batches

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            yield replace(batch, x=batch.x[..., self.channels].contiguous())
