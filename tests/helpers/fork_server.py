"""What a server of forks does before its first fork (see `forked`): it imports and reads what every program needs."""

import importlib
import os

import hydra

from sr_deepfake.app.configuration import CONF
from sr_deepfake.super_resolution.edsr import basicsr_edsr

for name in (
    "app.evaluation", "data.extraction.pipeline", "data.sources.data_set", "reporting.report", "reporting.writing", "train",
):  # fmt: skip
    importlib.import_module(f"sr_deepfake.{name}")
basicsr_edsr()
with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
    hydra.compose("train", return_hydra_config=True)  # Hydra looks for its plugins, and its parser learns our words
# What let this file be found is no business of the programs' own processes.
os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].partition(os.pathsep)[2]
