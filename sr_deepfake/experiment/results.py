"""A folder of results, written and read: `predictions.parquet`, `metrics.json`, `provenance.json`.

A folder may come from somebody else: everything in it is data. It is checked in full when it is read, so that nothing
that is made of it needs to look.
"""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sr_deepfake.experiment.provenance import PROVENANCE
from sr_deepfake.metrics.functional import THRESHOLD
from sr_deepfake.metrics.predictions import SIMILARITY, is_attacked, read_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

METRICS, PREDICTIONS = "metrics.json", "predictions.parquet"
# Raised when scores or metrics come out differently, so that older results are not taken for today's.
SCORING_VERSION = 5
UNDEFENDED = "none"
EXTERNAL = (
    "external"  # stands for the forgery method and the protocol of a detector that was trained elsewhere
)
_AGAIN = "score it again with evaluate.force=true"
# What `metrics.json` says of its run, and of which type it is.
_RUN: dict[str, type | tuple[type, ...]] = {
    "model": str, "forgery": str, "trained_on": str, "trained_data": str, "attack": str, "attack_kind": str,
    "attack_strength": str, "network": (str, type(None)), "scale": int, "defence": str,
    "defence_attack": (str, type(None)), "data": str,
    "protocol": str, "detector": str, "recipe": str, "seed": int, "illustration": str,
    "limit_test_batches": (int, float),
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One folder of results.

    Attributes:
        folder: where it is.
        run: what it is of: see the properties.
        metrics: of `run_metrics`; None where a figure is undefined. `both`, `fake` and what depends on them are None
            without an attack.
        provenance: of `provenance.json`; empty where there is none.
        predictions: the table of predictions.
    """

    folder: Path
    run: Mapping[str, Any]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]
    predictions: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the folder: `<detector>-<attack>-<digits>`."""
        return self.folder.name

    @property
    def model(self) -> str:
        """Short name of the model."""
        return str(self.run["model"])

    @property
    def trained_on(self) -> str:
        """The forgery method that the detector learned to find."""
        return str(self.run["trained_on"])

    @property
    def tested_on(self) -> str:
        """The forgery method whose fakes were tested; the same in the paper's tables."""
        return str(self.run["forgery"])

    @property
    def attack(self) -> str:
        """The attack's name, such as "sr-edsr-x2-ef70d4a3"; "none"."""
        return str(self.run["attack"])

    @property
    def kind(self) -> str:
        """The attack's name less strength and variant: "sr-edsr"."""
        return str(self.run["attack_kind"])

    @property
    def strength(self) -> str:
        """The attack's strength: "x2"; empty where it has none."""
        return str(self.run["attack_strength"])

    @property
    def attack_and_strength(self) -> str:
        """The attack's name less its variant, such as the weights: "sr-edsr-x2"."""
        return f"{self.kind}-{self.strength}" if self.strength else self.kind

    @property
    def network(self) -> str:
        """Network or interpolation of an attack by super resolution; empty for other attacks."""
        return str(self.run["network"] or "")

    @property
    def scale(self) -> int:
        """K; 1 without one."""
        return int(self.run["scale"])

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.run["data"])

    @property
    def protocol(self) -> str:
        """Name of the detector's protocol."""
        return str(self.run["protocol"])

    @property
    def seed(self) -> int:
        """Seed of the detector's training."""
        return int(self.run["seed"])

    @property
    def recipe(self) -> str:
        """Digits that differ when anything about the detector's training differs, its seed aside."""
        return str(self.run["recipe"])

    @property
    def illustration(self) -> str:
        """The sentence that says that the data set's figures are illustrations; empty where they are not."""
        return str(self.run["illustration"])

    @property
    def defence(self) -> str:
        """Attack among the training faces: "none", or such as "sr-edsr-x2 p=0.5"."""
        return str(self.run["defence"])

    @property
    def defence_attack(self) -> str | None:
        """Name of the attack that was in the training."""
        found: str | None = self.run["defence_attack"]
        return found

    @property
    def detector(self) -> str:
        """Name of the detector's folder."""
        return Path(str(self.run["detector"])).name

    @property
    def outputs(self) -> Path:
        """The folder that the run wrote to: `results/` and `detectors/` are in it."""
        return self.folder.parent.parent

    @property
    def is_external(self) -> bool:
        """Whether the detector was trained elsewhere: on what, and how, is not known."""
        return self.trained_on == EXTERNAL

    @property
    def crosses_data(self) -> bool:
        """Whether the detector was trained on another data set than it is tested on."""
        return str(self.run["trained_data"]) not in (self.data, EXTERNAL)

    def fits(self, data: str, protocol: str) -> bool:
        """Whether it is of a data set, and of a detector of a protocol or from elsewhere."""
        return self.data == data and (self.protocol == protocol or self.is_external)

    @property
    def is_attacked(self) -> bool:
        """Whether the faces were scored attacked too."""
        return self.metrics["both"] is not None

    @property
    def command(self) -> str:
        """The command that repeats it; empty where nothing tells."""
        return str(self.provenance.get("job", ""))

    @property
    def started(self) -> str:
        """When it was scored, ISO 8601 in UTC; empty where nothing tells."""
        return str(self.provenance.get("started", ""))

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as plain values; empty where nothing tells."""
        found = self.provenance.get("config")
        return found if isinstance(found, Mapping) else {}

    def interval(self, *path: str) -> tuple[float, float] | None:
        """The interval of a figure, by its names in `metrics.json`, such as "both", "fnr"; None if undefined."""
        found: Any = self.metrics["intervals"]
        for name in path:
            found = found[name]
        return None if None in found else (float(found[0]), float(found[1]))


def read_result(folder: Path) -> Result:
    """Read a folder of results.

    Raises:
        UserError: it is unfinished, damaged, or of an older version; the message says what mends it.
    """
    if not (folder / METRICS).exists():
        raise UserError(f"unfinished: {METRICS} is missing; the command that began it, run again, writes it")
    metrics = read_metrics(folder / METRICS)
    run = metrics.get("run")
    if not isinstance(run, Mapping):
        raise UserError(f"{METRICS} does not say which run it is of; {_AGAIN}")
    for name, kind in _RUN.items():
        if not isinstance(run.get(name), kind) or (isinstance(run.get(name), bool)):
            raise UserError(f"{METRICS} does not say which {name} it is of; {_AGAIN}")
    if run["limit_test_batches"] != 1.0 or isinstance(run["limit_test_batches"], int):
        raise UserError(
            f"only a part of the test faces was scored (limit_test_batches={run['limit_test_batches']})"
        )
    predictions = read_predictions(folder / PREDICTIONS)
    _check_shape(metrics, _template(is_attacked(predictions)), "")
    _check_agreement(metrics, predictions)
    return Result(folder, run, metrics, _json(folder / PROVENANCE), predictions)


@functools.cache
def _template(attacked: bool) -> Mapping[str, Any]:
    """Metrics of a few faces: their shape is that of all metrics."""
    scores = [0.1, 0.2, 0.6, 0.9]
    table = pd.DataFrame(
        {
            "face_id": ["a", "b", "c", "d"], "video_id": ["a", "b", "c", "d"], "method": "m", "label": [0, 0, 1, 1],
            "side": 24, "score": scores, "score_attacked": scores if attacked else np.nan,
            **{name: [0.9, 0.8, 0.7, 0.6] for name in SIMILARITY},
        }
    )  # fmt: skip
    return run_metrics(table, resamples=2)


def _check_shape(found: Any, expected: Any, path: str) -> None:
    """Refuse metrics that lack a block or a figure, or have something else in its place."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            raise UserError(f"{METRICS} lacks {path}; {_AGAIN}")
        for name, part in expected.items():
            below = f"{path}/{name}".lstrip("/")
            if name not in found:
                raise UserError(f"{METRICS} lacks {below}; {_AGAIN}")
            _check_shape(found[name], part, below)
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected) or not all(map(_is_figure, found)):
            raise UserError(f"{METRICS} has no interval for {path}; {_AGAIN}")
    elif isinstance(expected, str):
        if not isinstance(found, str):
            raise UserError(f"{METRICS} does not say the {path}; {_AGAIN}")
    elif not _is_figure(found) or (expected is None and found is not None):
        raise UserError(f"{METRICS} has no number for {path}; {_AGAIN}")


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_agreement(metrics: Mapping[str, Any], predictions: pd.DataFrame) -> None:
    """Refuse metrics that are not those of the predictions: of another run, say."""
    fakes = predictions["label"] == 1
    missed = (predictions["score"] <= THRESHOLD)[fakes].mean() if fakes.any() else math.nan
    told = metrics["clean"]["fnr"]
    same = math.isnan(missed) if told is None else math.isclose(told, missed, abs_tol=1e-6)
    if not same or metrics["faces"]["faces"] != len(predictions):
        raise UserError(f"{METRICS} and {PREDICTIONS} do not belong together; {_AGAIN}")


def _json(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics as JSON, whole or not at all; what is not finite becomes null, which JSON has a word for.

    Args:
        path: the file.
        metrics: nested dictionaries and lists of numbers, text and None.
    """
    text = json.dumps(_without_nan(metrics), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_metrics(path: Path) -> dict[str, Any]:
    """Read metrics that `write_metrics` wrote; what was not finite is None.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"no metrics can be read from {path} ({error}); `python -m sr_deepfake.evaluate` writes them"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} does not hold metrics; `python -m sr_deepfake.evaluate` writes them")
    return content


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.generic):
        return _without_nan(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
