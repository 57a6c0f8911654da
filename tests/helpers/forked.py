"""Programs in processes of their own that start in no time: forks of a server, which has imported all they need.

The server is a process that has done nothing else: a fork of the test's own process could not train, since autograd's
threads may have been started there.
"""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import cloudpickle
import cv2
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["fork_server", "pytest"])


def start(function: Callable[..., object], *arguments: object) -> BaseProcess:
    """Call a function in a fork; the process."""
    with pytest.MonkeyPatch.context() as patch:  # the server finds the helpers by this alone
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        forkserver.ensure_running()
    process = FORKS.Process(target=function, args=arguments)
    process.start()
    return process


TINY = [
    "data=ffpp",
    "data.source.crops=.",
    "model=timm",
    "model.backbone=test_resnet",
    "model.pretrained=false",
    "protocol=quick",
    "protocol.image_size=48",
    "protocol.batch_size=8",
    "protocol.epochs=2",
    "trainer=cpu",
    "trainer.precision=32",
    "data.workers=0",
    "trainer.enable_progress_bar=false",
]


def nothing() -> None:
    """What a process does before its program, as a rule."""


def without_figures() -> None:
    """Before a report whose figures no test looks at: to draw them takes most of its time."""
    from matplotlib.figure import Figure

    from sr_deepfake.reporting.figures import style

    save = style.save_figure
    style.save_figure = lambda figure, path: save(Figure((1, 1)), path)


def perform(program: str, arguments: tuple[str, ...], cwd: Path, before: bytes, shown: Path) -> None:
    """What a process does; ends with the program's exit status."""
    gc.freeze()  # else each collection goes through all that the server has imported, which takes as long as the work
    status = 0
    with open(shown, "w", buffering=1) as sys.stdout:
        sys.stderr = sys.stdout
        try:
            os.chdir(cwd)
            os.environ |= {"COLUMNS": "100", "WANDB_MODE": "offline"}
            sys.argv = [program, *arguments]
            GlobalHydra.instance().clear()
            torch.set_num_threads(1)
            cv2.setNumThreads(0)
            # Tests that were started in the background ignore Ctrl-C, and their children would with them.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            cloudpickle.loads(before)()
            importlib.import_module(f"sr_deepfake.{program}").main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        os._exit(status)


class Process:
    """`python -m sr_deepfake.<program> <arguments>` in a folder.

    Args:
        program: its name.
        arguments: of the command line.
        cwd: the folder.
        before: called in the process before the program; patches what it likes there.
    """

    count = 0

    def __init__(self, program: str, *arguments: str, cwd: Path, before: Callable[[], object] = nothing) -> None:
        Process.count += 1
        self.file = cwd / f"shown-{Process.count}.txt"
        self.file.touch()
        self.process = start(perform, program, arguments, cwd, cloudpickle.dumps(before), self.file)

    def wait(self) -> int:
        """Wait for the end; the exit status, negative for a signal."""
        self.process.join()
        return self.process.exitcode

    @property
    def shown(self) -> str:
        """What it printed."""
        return self.file.read_text()


def run(program: str, *arguments: str, cwd: Path, status: int = 0, before: Callable[[], object] = nothing) -> str:
    """Run a program to its end and return what it printed."""
    process = Process(program, *arguments, cwd=cwd, before=before)
    ended = process.wait()
    assert ended == status, f"status {ended}\n{process.shown}"
    return process.shown


def results(folder: Path) -> list[Path]:
    """The metrics of the runs that were done in a folder."""
    return sorted((folder / "outputs" / "results").glob("*/metrics.json"))
