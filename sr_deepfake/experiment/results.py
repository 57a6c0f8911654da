"""A folder of results, written and read: `predictions.parquet`, `metrics.json`, `provenance.json`, `evidence/`.

A folder may come from somebody else: everything in it is data, and is checked when it is read.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, ValidationError

from sr_deepfake.detectors.recipe import EXTERNAL
from sr_deepfake.experiment.provenance import METRICS, PROVENANCE
from sr_deepfake.metrics.changes import RATES
from sr_deepfake.metrics.classification import THRESHOLD
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.metrics.predictions import read_predictions
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.values import Frozen

PREDICTIONS = "predictions.parquet"
# Raised when scores or metrics come out differently, so that older results are not taken for today's.
SCORING_VERSION = 6
UNDEFENDED = "none"
_AGAIN = "score it again with evaluate.force=true"


class AttackInfo(Frozen):
    """Which attack it was."""

    name: str = "none"  # such as "sr-edsr-x2-ef70d4a3"
    kind: str = "none"  # the name less strength and variant: "sr-edsr"
    strength: str = ""  # "x2"; empty where it has none
    network: str = ""  # network or interpolation of an attack by super resolution; empty for others
    scale: int = Field(default=1, ge=1)  # K; 1 without one
    digest: str = ""  # of everything that its faces depend on; empty without an attack
    fakes_only: bool = False  # whether pristine faces stay as they are: where all faces are attacked, only fakes change

    @property
    def kind_and_strength(self) -> str:
        """The name less its variant, such as the weights: "sr-edsr-x2"."""
        return f"{self.kind}-{self.strength}" if self.strength else self.kind


class RunInfo(Frozen):
    """Everything that a result depends on, and the words that reports show it with; `key` names its folder."""

    model: str  # its short name
    forgery: str  # the method whose fakes were tested
    trained_on: str  # the method that the detector learned to find; "external": not known
    trained_data: str  # name of the data set that it was trained on; "external": not known
    trained_faces: int = Field(ge=0)  # how many; 0: not known
    attack: AttackInfo
    defence: str = UNDEFENDED  # attack among the training faces, such as "sr-edsr-x2 p=0.5"
    defence_attack: str = ""  # name of that attack; empty without one
    data: str  # name of the data set
    test_faces: str  # fingerprint of the test faces and their clusters
    test_side: int | None = None  # px that they were resized to before the attack; None: their own side
    val_faces: str = ""  # fingerprint of the faces that chose the threshold; empty without any
    # False positive rate of that threshold; None: where FNR and FPR are equal
    threshold_fpr: float | None = Field(default=None, gt=0, lt=1)
    detector: str  # name of its folder
    recipe: str  # key of its recipe, seeds aside
    weights: str  # their hash
    protocol: str  # of its training
    seed: int  # of its training
    device: str  # type of the device that computed
    limit_test_batches: float | int = 1.0  # share (or number) of the test batches
    illustration: str = ""  # sentence that says that the data set's figures are illustrations; empty: they are not
    scoring: int = SCORING_VERSION

    @property
    def folder_name(self) -> str:
        """`<detector>-<attack>-<digits>`."""
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", f"{self.detector}-{self.attack.name}") + f"-{self.key[:8]}"

    @property
    def is_external(self) -> bool:
        """Whether the detector was trained by somebody else: on what, and how, is not known."""
        return self.trained_on == EXTERNAL

    @property
    def crosses_data(self) -> bool:
        """Whether the detector was trained on another data set than it is tested on."""
        return self.trained_data not in (self.data, EXTERNAL)

    @property
    def is_plain(self) -> bool:
        """Whether an undefended detector is tested on whole faces of its own method, as in the paper's tables."""
        own = self.is_external or self.crosses_data or self.trained_on == self.forgery
        return own and self.defence == UNDEFENDED and self.test_side is None

    def fits(self, data: str, protocol: str) -> bool:
        """Whether it is of a data set, and of a detector of a protocol or from outside."""
        return self.data == data and (self.protocol == protocol or self.is_external)


class Stored(Frozen):
    """The content of `metrics.json`."""

    run: RunInfo
    metrics: Metrics


@dataclass(frozen=True)
class Result:
    """One folder of results."""

    folder: Path
    run: RunInfo
    metrics: Metrics
    provenance: Mapping[str, Any]  # of `provenance.json`; empty where there is none
    seeds: tuple["Result", ...] = ()  # what it is the mean over, where one training had several seeds

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The table of predictions."""
        return read_predictions(self.folder / PREDICTIONS)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def is_attacked(self) -> bool:
        """Whether the faces were scored attacked too."""
        return self.metrics.is_attacked

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


def write_metrics(folder: Path, run: RunInfo, metrics: Metrics) -> None:
    """Write `metrics.json`."""
    Stored(run=run, metrics=metrics).write(folder / METRICS)


def read_metrics(folder: Path) -> Stored:
    """Read `metrics.json`."""
    try:
        return Stored.model_validate_json((folder / METRICS).read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"unfinished: {METRICS} is missing; the command that began it, run again, writes it") from error
    except OSError as error:
        raise UserError(f"{METRICS} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UserError(f"{METRICS} is damaged or of an older version ({where}: {first['msg']}); {_AGAIN}") from None


def read_result(folder: Path) -> Result:
    """Read a folder of results."""
    stored = read_metrics(folder)
    if stored.run.scoring != SCORING_VERSION:
        raise UserError(f"{METRICS} is of an older version; {_AGAIN}")
    limit = stored.run.limit_test_batches
    if limit != 1.0 or isinstance(limit, int):
        raise UserError(f"only a part of the test faces was scored (limit_test_batches={limit})")
    result = Result(folder, stored.run, stored.metrics, _provenance(folder / PROVENANCE))
    table = result.predictions
    attacked = bool(table["score_attacked"].notna().all()) == stored.metrics.is_attacked
    if not attacked or stored.metrics.counts.faces != len(table) or not _same_rates(table, stored.metrics):
        raise UserError(f"{METRICS} and {PREDICTIONS} do not belong together; {_AGAIN}")
    return result


def _same_rates(table: pd.DataFrame, metrics: Metrics) -> bool:
    """Whether FNR and FPR, clean and attacked, are those of the faces."""
    for setup, column in (("clean", "score"), ("both", "score_attacked"))[: 1 + metrics.is_attacked]:
        wrong = (table[column] > THRESHOLD) != (table["label"] == 1)
        for rate, label in RATES.items():
            share = wrong[table["label"] == label].mean()  # NaN without faces
            known = metrics.value(setup, rate)
            if not (math.isnan(share) if known is None else math.isclose(known, share, abs_tol=1e-6)):
                return False
    return True


def _provenance(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
