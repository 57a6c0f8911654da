"""Programs in processes of their own that start in no time: forks of the test, which has imported all they need."""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

import sr_deepfake.attacks.super_resolution
import sr_deepfake.detectors.training
import sr_deepfake.results  # noqa: F401

TINY = [
    "data=ffpp",
    "data.crops=.",
    "model=timm",
    "model.name=test_resnet",
    "model.pretrained=false",
    "protocol=quick",
    "protocol.image_size=48",
    "protocol.batch_size=8",
    "protocol.epochs=2",
    "trainer=cpu",
    "trainer.precision=32",
    "trainer.workers=0",
    "trainer.progress=false",
    "logger=none",
]


def nothing() -> None:
    """What a process does before its program, as a rule."""


class Process:
    """`python -m sr_deepfake.<program> <arguments>` in a folder.

    Args:
        program: its name.
        arguments: of the command line.
        cwd: the folder.
        before: called in the process before the program; patches what it likes there.
    """

    count = 0

    def __init__(
        self, program: str, *arguments: str, cwd: Path, before: Callable[[], object] = nothing
    ) -> None:
        Process.count += 1
        self.file = cwd / f"shown-{Process.count}.txt"
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self._run(program, arguments, cwd, before))

    def _run(self, program, arguments, cwd, before):
        status = 0
        with open(self.file, "w", buffering=1) as sys.stdout:
            sys.stderr = sys.stdout
            try:
                os.chdir(cwd)
                sys.argv = [program, *arguments]
                GlobalHydra.instance().clear()
                # Tests that were started in the background ignore Ctrl-C, and their forks would with them.
                signal.signal(signal.SIGINT, signal.default_int_handler)
                before()
                importlib.import_module(f"sr_deepfake.{program}").main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
                status = 70
        return status

    def wait(self) -> int:
        """Wait for the end; the exit status, negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def shown(self) -> str:
        """What it printed."""
        return self.file.read_text()


def run(
    program: str, *arguments: str, cwd: Path, status: int = 0, before: Callable[[], object] = nothing
) -> str:
    """Run a program to its end and return what it printed."""
    process = Process(program, *arguments, cwd=cwd, before=before)
    ended = process.wait()
    assert ended == status, f"status {ended}\n{process.shown}"
    return process.shown
