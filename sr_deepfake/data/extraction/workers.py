"""Work shared out: over processes, of which one that dies stops no other, and over machines."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from sr_deepfake.system.errors import UserError

Item = TypeVar("Item")


def run_in_processes(
    function: Callable[[Item], None],
    items: Sequence[Item],
    workers: int,
    initializer: Callable[..., None],
    initargs: tuple[Any, ...] = (),
) -> Iterator[tuple[Item, bool]]:
    """Call `function` on every item, each in one of `workers` processes.

    When a process dies (a crash in native code, or a kill), the items that were under way are tried once
    more, each alone in a process of its own; one that kills that process too is given up.

    Args:
        function: importable by name; its exceptions end the run and are raised here.
        items: what it is called on.
        workers: number of processes.
        initializer: called once in each process.
        initargs: its arguments.

    Yields:
        Each item when it is finished, and whether it was: False for one that was given up.
    """
    waiting = list(reversed(items))
    while waiting:
        suspects: list[Item] = []
        with _pool(min(workers, len(waiting)), initializer, initargs) as pool:
            running: dict[Future[None], Item] = {}
            while (waiting and not suspects) or running:
                # A short queue keeps the processes busy, and few items under suspicion when one of them dies.
                while waiting and not suspects and len(running) < 2 * workers:
                    item = waiting.pop()
                    try:
                        running[pool.submit(function, item)] = item
                    except BrokenProcessPool:
                        suspects.append(item)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    item = running.pop(future)
                    try:
                        future.result()
                    except BrokenProcessPool:
                        suspects.append(item)
                    else:
                        yield item, True
        for item in suspects:
            yield item, _survives(function, item, initializer, initargs)


def _survives(
    function: Callable[[Item], None], item: Item, initializer: Callable[..., None], initargs: tuple[Any, ...]
) -> bool:
    with _pool(1, initializer, initargs) as pool:
        try:
            pool.submit(_nothing).result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "Processes die before they do any work. Is there memory for them? A script that starts them "
                'must do so under `if __name__ == "__main__":`. To do without them: prepare.workers=0.'
            ) from error
        try:
            pool.submit(function, item).result()
        except BrokenProcessPool:
            return False
    return True


@contextlib.contextmanager
def _pool(
    workers: int, initializer: Callable[..., None], initargs: tuple[Any, ...]
) -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: a fork of a process that has run torch can hang in its thread pool.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_process, (initializer, initargs))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_process(initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    initializer(*initargs)


def _nothing() -> None:
    pass


def _end_with_parent() -> None:
    """End this process when its parent is killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def parse_shard(shard: object, shards: object = 1) -> tuple[int, int]:
    """Read which part of the videos is meant: of n parts, the i-th is every n-th video from the i-th on, i from 0.

    Args:
        shard: `i/n`; or i, of n `shards`; or None: all videos.
        shards: number of parts.

    Raises:
        UserError: when it is no such thing.

    >>> parse_shard("1/8"), parse_shard(1, 8), parse_shard(None)
    ((1, 8), (1, 8), (0, 1))
    """
    if not isinstance(shards, int) or isinstance(shards, bool) or shards < 1:
        raise UserError(f"prepare.shards={shards} is no number of parts: write prepare.shards=8, say.")
    if shard is None:
        if shards > 1:
            raise UserError(
                f"prepare.shards={shards} starts {shards} jobs, which needs -m: python -m sr_deepfake.prepare -m …"
            )
        return 0, 1
    match = re.fullmatch(r"(\d+)/(\d+)", f"{shard}/{shards}" if isinstance(shard, int) else str(shard))
    if match is None or not int(match[1]) < int(match[2]):
        raise UserError(
            f"prepare.shard={shard} is no part of a whole: write 0/4, 1/4, 2/4 or 3/4 for a quarter each."
        )
    return int(match[1]), int(match[2])
