import importlib
import os
import select
import signal
import time
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from sr_deepfake.data.extraction.workers import THREADS, parse_shard, run_in_processes
from sr_deepfake.system.errors import UserError


def nothing() -> None:
    pass


def die() -> None:
    os._exit(3)


def write(path: Path) -> None:
    """Write a file; a name tells how to die instead."""
    if path.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name == "once" and not path.with_name("tried").exists():
        path.with_name("tried").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name == "hangs":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as a decoder in native code does not hear it
        time.sleep(300)
    if path.name == "fails":
        raise OSError(28, "No space left on device")
    path.touch()


def count_threads(path: Path) -> None:
    """Write how many threads linear algebra would take."""
    importlib.import_module("numpy.linalg")
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    path.write_text(str(max(pools)))


@pytest.mark.parametrize(("wished", "threads"), [(None, "1"), ("2", "2")])
def test_linear_algebra_takes_one_thread_unless_asked(tmp_path, monkeypatch, wished, threads):
    if int(threads) > (os.cpu_count() or 1):
        pytest.skip("there is one core alone")
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    if wished:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", wished)
    before = dict(os.environ)
    list(run_in_processes(count_threads, [tmp_path / "count"], 1, nothing))
    assert (tmp_path / "count").read_text() == threads
    assert dict(os.environ) == before


def test_runs_everything_and_gives_up_what_crashes_or_hangs(tmp_path):
    names = ["a", "b", "crash1", "once", "hangs", "c", "crash2", "d"]
    outcomes = dict(run_in_processes(write, [tmp_path / name for name in names], 2, nothing, timeout=3))
    died = "the process that worked on it died, twice"
    failed = {"crash1": died, "crash2": died, "hangs": "it took longer than 3 s"}
    assert {path.name: trouble for path, trouble in outcomes.items()} == {**dict.fromkeys(names, ""), **failed}
    assert {path.name for path in tmp_path.iterdir()} == {"tried", *names} - set(failed)


@pytest.mark.parametrize(
    ("name", "initializer", "error", "message"),
    [("fails", nothing, OSError, "No space left"), ("a", die, RuntimeError, "die before they do any work")],
)
def test_exceptions_and_processes_that_cannot_start_are_the_callers(tmp_path, name, initializer, error, message):
    with pytest.raises(error, match=message):
        list(run_in_processes(write, [tmp_path / name], 1, initializer))


def sleep(path: Path) -> None:
    path.write_text(str(os.getpid()))
    time.sleep(300)


def let_sleep(path: Path) -> None:
    list(run_in_processes(sleep, [path], 1, nothing))


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux to wait for a process that is no child")
def test_processes_end_when_their_parent_is_killed(tmp_path):
    from forked import start  # here: every process of this file's other tests would import torch

    note, deadline = tmp_path / "pid", time.monotonic() + 60
    parent = start(let_sleep, note)
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = os.pidfd_open(int(note.read_text()))
    assert not select.select([child], [], [], 0)[0]  # it has not ended
    parent.kill()
    assert select.select([child], [], [], 60)[0]


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        *[((text,), "is no part of a whole") for text in ("2/2", "1", "-1/3", "a/b", "0/0", "")],
        ((3, 3), "is no part of a whole"),
        ((None, 3), "needs -m"),
        ((None, "many"), "is no number of parts"),
    ],
)
def test_a_shard_that_is_none_is_an_error(shard, message):
    with pytest.raises(UserError, match=message):
        parse_shard(*shard)


def test_a_shard_may_be_a_number_of_a_number_of_shards():
    assert [parse_shard(index, 3) for index in range(3)] == [(0, 3), (1, 3), (2, 3)]
    assert parse_shard("1/4", 3) == (1, 4)  # named whole, it needs no other option
    assert parse_shard(None) == (0, 1)


def test_a_process_that_is_still_starting_prints_nothing(tmp_path, capfd):
    """With little work the first one does all of it."""
    assert [error for _, error in run_in_processes(write, [tmp_path / "a", tmp_path / "b"], 2, nothing)] == ["", ""]
    assert capfd.readouterr().err == ""
