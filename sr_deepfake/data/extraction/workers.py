"""Work shared out: over processes, of which one that dies or hangs stops no other, and over machines."""

import multiprocessing
import multiprocessing.connection
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from sr_deepfake.system.errors import UserError

Item = TypeVar("Item")
START = 60.0  # s that a process may take to start

# How many threads NumPy's, SciPy's and OpenCV's linear algebra takes, else one a core in each process: on 16 cores, 16
# processes with 16 threads each are slower than two.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_in_processes(
    function: Callable[[Item], None],
    items: Sequence[Item],
    workers: int,
    initializer: Callable[[], object],
    timeout: float | None = None,
) -> Iterator[tuple[Item, str]]:
    """Call `function` on every item, each in one of `workers` processes (0: in this one); yield what went wrong, or ""."""
    if workers == 0:
        for item in items:
            function(item)
            yield item, ""
        return
    started = Path(tempfile.mkdtemp())  # a file for each process that is up
    others = set(multiprocessing.active_children())
    # Spawned, not forked: a fork of a process that has run torch can hang in its thread pool.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(max(1, min(workers, len(items))), 0, _start_process, (started, initializer), context)
    unset = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))  # the processes inherit it
    try:
        running: dict[Future[None], Item] = {pool.schedule(function, (item,), timeout=timeout): item for item in items}
        again: set[Item] = set()
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                try:
                    future.result()
                except ProcessExpired:
                    if item in again:
                        yield item, "the process that worked on it died, twice"
                    else:
                        again.add(item)
                        running[pool.schedule(function, (item,), timeout=timeout)] = item
                except TimeoutError:
                    yield item, f"it took longer than {timeout:g} s"
                except BrokenProcessPool as error:
                    raise RuntimeError(
                        "Processes die before they do any work. Is there memory for them? A script that starts them "
                        'must do so under `if __name__ == "__main__":`. To do without them: prepare.workers=0.'
                    ) from error
                else:
                    yield item, ""
        _await_starts(started, others)
    finally:
        shutil.rmtree(started, ignore_errors=True)
        pool.stop()
        pool.join()
        for name in unset:
            os.environ.pop(name, None)


def _await_starts(started: Path, others: set[Any]) -> None:
    """Wait for processes that are still starting: one that is ended then prints a traceback."""
    end = time.monotonic() + START
    while time.monotonic() < end:
        up = {path.name for path in started.iterdir()}
        if all(str(process.pid) in up for process in set(multiprocessing.active_children()) - others):
            return
        time.sleep(0.05)


def _start_process(started: Path, initializer: Callable[[], object]) -> None:
    (started / str(os.getpid())).touch()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    initializer()


def _end_with_parent() -> None:
    """End this process when its parent is killed, whatever it is at."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def parse_shard(shard: object, shards: object = 1) -> tuple[int, int]:
    """Read which part of the videos is meant: of n parts, the i-th is every n-th video from the i-th on, i from 0."""
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
        raise UserError(f"prepare.shard={shard} is no part of a whole: write 0/4, 1/4, 2/4 or 3/4 for a quarter each.")
    return int(match[1]), int(match[2])
