"""Processes that work together, on sums in the place of trainings."""

import functools
import multiprocessing
import os
import signal
import time

import pytest
import torch

from sr_deepfake.detectors.ranks import Rank, together
from sr_deepfake.errors import UserError


def add_up(rank: Rank) -> float:
    """The sum over the ranks of one and their number."""
    total = torch.tensor(1.0 + rank.number)
    torch.distributed.all_reduce(total)
    return total.item()


def fail(error: Exception, rank: Rank) -> None:
    raise error


def die(rank: Rank) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(rank: Rank) -> None:
    time.sleep(1000)


def test_ranks_meet_and_the_next_ones_do_too():
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        for _ in range(2):
            with together(2, add_up, "gloo") as rank:
                assert (rank.number, rank.count, rank.global_rank()) == (0, 2, 0)
                assert add_up(rank) == 1 + 2
                assert torch.get_num_threads() == 2  # the cores are shared
            assert not torch.distributed.is_initialized()
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(threads)


def test_what_another_rank_fails_of_is_raised_here():
    """In its own type, so that a mistake that can be mended is told as one."""
    with (
        pytest.raises(UserError, match="no such face") as told,
        together(2, functools.partial(fail, UserError("no such face")), "gloo") as rank,
    ):
        add_up(rank)
    assert "rank 1" in told.value.__notes__[0]
    assert not torch.distributed.is_initialized()


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_the_training():
    with pytest.raises(RuntimeError, match=r"exit status -9.*memory"), together(2, die, "gloo") as rank:
        add_up(rank)


@pytest.mark.parametrize("error", [ValueError, pytest.param(KeyboardInterrupt, marks=pytest.mark.slow)])
def test_what_fails_here_ends_the_others(error):
    with pytest.raises(error, match="mine"), together(2, sleep, "gloo"):
        raise error("mine")
    assert not multiprocessing.active_children()


def test_lightning_starts_no_process_of_its_own_and_asks_no_queue(monkeypatch):
    """Though Slurm's variables say that there are two tasks."""
    for name, value in {"NTASKS": "2", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    import lightning

    trainer = lightning.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", plugins=[Rank(0, 2)], logger=False,
        enable_checkpointing=False, enable_progress_bar=False,
    )  # fmt: skip
    assert trainer.strategy.cluster_environment.creates_processes_externally
    assert isinstance(trainer.strategy.cluster_environment, Rank)
    assert trainer.world_size == 2
