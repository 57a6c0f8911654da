"""What a server of forks does before its first fork (see `forked`): it imports and reads what every program needs."""

import importlib
import os
from pathlib import Path

import hydra

from sr_deepfake.app.configuration import CONF
from sr_deepfake.super_resolution.edsr import basicsr_edsr


def prepare() -> None:
    for name in (
        "app.end_to_end", "app.report", "data.extraction.pipeline", "data.sources.data_set", "reporting.writing", "train",
    ):  # fmt: skip
        importlib.import_module(f"sr_deepfake.{name}")
    basicsr_edsr()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        hydra.compose("train", return_hydra_config=True)  # Hydra looks for its plugins, and its parser learns our words


first, *others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if first == str(Path(__file__).parent):  # by which the server finds this file; pytest, too, imports it, for doctests
    os.environ["PYTHONPATH"] = os.pathsep.join(others)  # what the programs' own processes are given
    prepare()
