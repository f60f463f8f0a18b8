"""Training on several GPUs or machines by `torchrun … rtbci train`: each process takes some rows of every batch.

The gradients are those of one process with the whole batch. All processes read all recordings; only the lead process
writes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rtbci.training.batches import Batch

Thing = TypeVar("Thing")
WAIT = timedelta(hours=6)  # the lead validates and scores alone; the others wait


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Context in which this process belongs to the group that torchrun started; does nothing without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield
        return
    on_gpu = device in ("cuda", "auto") and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=WAIT)
    try:
        yield
    finally:
        gc.collect()  # a network in a reference cycle would keep gloo's threads running at exit, which aborts
        dist.destroy_process_group()


def n_processes() -> int:
    """Processes of the training; 1 without torchrun."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process; 0 is the lead."""
    return dist.get_rank() if dist.is_initialized() else 0


def leads() -> bool:
    """Whether this process writes and reports; known before the group is initialised."""
    return os.environ.get("RANK", "0") == "0"


def parallel(network: nn.Module) -> nn.Module:
    """The network to train: its gradients are averaged over the processes.

    Batch normalisation uses the statistics of the whole batch on GPUs; on CPUs, those of each process's rows.
    """
    if n_processes() == 1:
        return network
    if next(network.parameters()).is_cuda:
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return DistributedDataParallel(network)


def own_rows(batch: Batch) -> Batch:
    """This process's rows of a batch: always the same, so that their state can be carried over."""
    n, this = n_processes(), rank()
    if n == 1:
        return batch
    if len(batch.x) >= n:
        return Batch(*(t.tensor_split(n)[this] for t in (batch.x, batch.y, batch.known, batch.fresh)))
    # Fewer rows than processes: one without a row computes on the first row, with no known label.
    row = slice(this, this + 1) if this < len(batch.x) else slice(0, 1)
    known = batch.known[row] if this < len(batch.x) else torch.zeros_like(batch.known[row])
    return Batch(batch.x[row], batch.y[row], known, batch.fresh[row])


def summed(*values: Tensor) -> Tensor:
    """Scalars summed over the processes: (n_values,), without gradients."""
    total = torch.stack([value.detach().float() for value in values])
    if n_processes() > 1:
        dist.all_reduce(total)
    return total


def of_lead(thing: Thing) -> Thing:
    """The lead's value, in every process."""
    if n_processes() == 1:
        return thing
    box: list[Any] = [thing]
    dist.broadcast_object_list(box, src=0)
    return cast(Thing, box[0])
