"""Processes of one machine that train one detector together (Lightning's DDP).

The calling process is rank 0: it holds the locks, logs, and writes. The others are started for the training alone, with
what they need as arguments, and leave with it. So the program itself never runs twice, and a training by several
processes may be a job of any sweep.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from torch import distributed

# For so long ranks wait for each other: rank 0 writes files between epochs. Where one hangs, all end.
PATIENCE = timedelta(minutes=10)


class Rank(LightningEnvironment):
    """Which of the processes this is, as Lightning asks for it.

    Args:
        number: from 0.
        count: of all.

    Example:
        >>> Rank(1, 2).local_rank()
        1
    """

    def __init__(self, number: int, count: int) -> None:
        super().__init__()
        self.number = number
        self.count = count

    @property
    def creates_processes_externally(self) -> bool:
        """Yes: Lightning is not to start the program again."""
        return True

    def local_rank(self) -> int:
        """The rank, since all are on one machine."""
        return self.number

    def node_rank(self) -> int:
        """The only machine's."""
        return 0


@contextmanager
def together(count: int, work: Callable[[Rank], object], backend: str) -> Iterator[Rank]:
    """Start processes that do `work` as ranks 1, 2, …; the caller does it as the rank that is given, which is 0.

    All are members of torch's process group from the beginning to the end. At the end they are waited for. Where the
    caller fails, they are ended.

    Args:
        count: of all ranks.
        work: can be pickled.
        backend: of the process group, "gloo" or "nccl".

    Raises:
        Exception: whatever a rank fails of first.
        RuntimeError: a rank's process dies.
    """
    threads = torch.get_num_threads()
    share = max(1, threads // count)
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    # Spawned, not forked: a fork of a process that has run torch can hang in its thread pool.
    spawn = multiprocessing.get_context("spawn")
    others: list[tuple[SpawnProcess, Connection]] = []
    try:
        for number in range(1, count):
            report, reports = spawn.Pipe(duplex=False)
            rank = Rank(number, count)
            process = spawn.Process(target=_take_part, args=(work, rank, backend, store.port, share, reports))
            process.start()
            reports.close()  # this process's end of it, so that the pipe ends with the other process
            others.append((process, report))
        for process, report in others:  # one that cannot even start would be waited for
            _receive(process, report)
        torch.set_num_threads(share)
        own = Rank(0, count)
        _join(own, backend, store)
        try:
            yield own
        except Exception:
            for process, report in others:  # the connections break when another rank fails, which says more
                if report.poll(timeout=1.0):
                    _receive(process, report)
            raise
        for process, report in others:
            _receive(process, report)
        _leave()  # before they are waited for, since they may wait for this, too
        for process, _ in others:
            process.join(timeout=60)
    finally:
        for process, report in others:
            process.kill()
            process.join()
            report.close()
        torch.set_num_threads(threads)
        _leave()


def _receive(process: SpawnProcess, report: Connection) -> None:
    """Wait until a rank says that it has begun, or ended; raise what it failed of."""
    try:
        error = report.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"a process that took part in the training died (exit status {process.exitcode}). Is there memory for it? "
            "The same command, run again, goes on where this one ended"
        ) from None
    if error is not None:
        raise error


def _take_part(
    work: Callable[[Rank], object], rank: Rank, backend: str, port: int, threads: int, reports: Connection
) -> None:
    """What a process does."""
    # Ctrl-C, a queue's warning before it ends the job: rank 0 answers them, and ends this process.
    for name in ("SIGINT", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        reports.send(None)
        _join(rank, backend, distributed.TCPStore("127.0.0.1", port, is_master=False))
        work(rank)
        reports.send(None)
    except BaseException as error:
        error.add_note(f"In the process of rank {rank.number}:\n{traceback.format_exc()}")
        try:
            reports.send(error)
        except Exception:  # some cannot be pickled
            reports.send(RuntimeError(traceback.format_exc()))
        os._exit(1)  # at once, so that no rank waits for this one
    _leave()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _join(rank: Rank, backend: str, store: distributed.TCPStore) -> None:
    distributed.init_process_group(
        backend, store=store, rank=rank.number, world_size=rank.count, timeout=PATIENCE
    )


def _leave() -> None:
    """End the connection to the other ranks, so that the next training of this process can have its own."""
    if distributed.is_initialized():
        with suppress(Exception):  # where another rank died, there is nobody to say good-bye to
            distributed.destroy_process_group()
