"""Scores that another program computed, as results: of a detector behind an API, say."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from sr_deepfake.detectors.recipe import EXTERNAL
from sr_deepfake.experiment.results import AttackInfo, Result, RunInfo
from sr_deepfake.metrics.clusters import components
from sr_deepfake.metrics.predictions import SIMILARITY, is_attacked
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

PRISTINE = "pristine"
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "real": 0, "pristine": 0, "fake": 1, "false": 0, "true": 1}
# What a column that is not there says of every row.
_DEFAULTS = {"method": "fake", "data": "scores", "attack": "attack"}


def read_scores(path: Path) -> list[Result]:
    """Read a CSV of scores, one row a face (or a video)."""
    table = _table(path)
    results = []
    for (model, data, attack), rows in table.groupby(["model", "data", "attack"], sort=True):
        pristine, fakes = rows[rows["label"] == 0], rows[rows["label"] == 1]
        for method in sorted(fakes["method"].unique()) or [_DEFAULTS["method"]]:
            chosen = pd.concat([pristine, fakes[fakes["method"] == method]])
            results.append(_result(path, str(model), str(data), str(attack), str(method), chosen))
    return results


def _result(path: Path, model: str, data: str, attack: str, method: str, rows: pd.DataFrame) -> Result:
    predictions = rows.drop(columns=["model", "data", "attack"]).reset_index(drop=True)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    run = RunInfo(
        model=model,
        forgery=method,
        trained_on=EXTERNAL,
        trained_data=EXTERNAL,
        trained_faces=0,
        attack=AttackInfo(name=attack, kind=attack) if is_attacked(predictions) else AttackInfo(),
        data=data,
        test_faces=digits,
        detector=model,
        recipe=digits,
        weights=digits,
        protocol=EXTERNAL,
        seed=0,
        device="",
    )
    result = Result(
        path.parent / printable(f"{model}-{method}-{data}-{attack}-{path.name}"), run, run_metrics(predictions), {}
    )
    result.__dict__["predictions"] = predictions  # there is no file of them
    return result


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"scores={path}: there is no such file")
    try:
        read = pd.read_csv(path, sep=None, engine="python", dtype=str, encoding="utf-8-sig")
    except (ValueError, OSError, csv.Error) as error:
        raise UserError(f"scores={path} cannot be read as CSV ({str(error).splitlines()[0]})") from error
    read.columns = [str(name).strip().lower() for name in read.columns]
    missing = [name for name in ("label", "score") if name not in read]
    if not {"face", "video"} & set(read.columns):
        missing.append("face or video")
    if missing:
        raise UserError(
            f"scores={path} has no column {', '.join(missing)}; it has {', '.join(map(repr, read.columns))}. Needed "
            "are video or face, label, score, and score_attacked where faces were attacked"
        )
    if read.empty:
        raise UserError(f"scores={path} has no rows")
    table = pd.DataFrame({"label": _labels(path, read["label"])})
    table["score"] = _probabilities(path, read["score"])
    table["score_attacked"] = _probabilities(path, read["score_attacked"]) if "score_attacked" in read else np.nan
    number = read.groupby(read["video"].fillna("")).cumcount() if "video" in read else None
    table["video_id"] = read["video"] if "video" in read else read["face"]
    table["face_id"] = read["face"] if number is None or "face" in read else read["video"] + "/" + number.astype(str)
    # A real and a fake file may have one name, in folders of their own.
    kinds = np.where(table["label"] == 1, "fake", PRISTINE)
    for name in ("video_id", "face_id"):
        if table[name].isna().any():
            raise UserError(f"scores={path}, line {_line(table[name].isna())}: the face or the video has no name")
        table[name] = kinds + "/" + table[name]
    for name, value in (_DEFAULTS | {"model": path.stem, "target": "", "source": "", "side": "0"}).items():
        table[name] = read[name].fillna(value) if name in read else value
    table["target"] = table["target"].where(table["target"] != "", table["video_id"])
    people = [tuple(filter(None, pair)) for pair in zip(table["target"], table["source"], strict=True)]
    table["cluster"] = read["cluster"].fillna(table["video_id"]) if "cluster" in read else components(people)
    table.loc[table["label"] == 0, "method"] = PRISTINE
    sides = pd.to_numeric(table["side"], errors="coerce").replace([np.inf, -np.inf], np.nan)
    table["side"] = sides.fillna(0).astype(int)
    with np.errstate(divide="ignore"):
        for name in ("score", "score_attacked"):
            table[name.replace("score", "logit")] = logit(table[name])
    for name in SIMILARITY:
        table[name] = np.nan
    repeated = table.duplicated(["model", "data", "attack", "method", "face_id"])
    if repeated.any():
        raise UserError(f"scores={path}, line {_line(repeated)}: this face is listed twice")
    return table


def _labels(path: Path, column: pd.Series) -> pd.Series:
    labels = column.str.strip().str.lower().map(_LABELS)
    if labels.isna().any():
        bad = column[labels.isna()].iloc[0]
        raise UserError(f"scores={path}, line {_line(labels.isna())}: the label {bad!r} is not 1 or fake, 0 or real")
    return labels.astype(int)


def _probabilities(path: Path, column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column.str.replace(r"^\s*(\d*),(\d+)\s*$", r"\1.\2", regex=True), errors="coerce")  # 0,27
    wrong = ~numbers.between(0, 1)
    if wrong.all() and column.isna().all() and column.name == "score_attacked":
        return numbers
    if column[wrong].isna().any():
        raise UserError(f"scores={path}, line {_line(column.isna())}: {column.name} is empty")
    if wrong.any():
        hint = "Logits go through a sigmoid first"
        if column.str.contains("%", na=False).any() or (numbers.min() >= 0 and 1 < numbers.max() <= 100):
            hint = "Percentages are divided by 100 first"
        raise UserError(
            f"scores={path}, line {_line(wrong)}: {column.name} is {column[wrong].iloc[0]!r}, not a probability in "
            f"[0, 1]. {hint}"
        )
    return numbers


def _line(wrong: pd.Series) -> int:
    """Line of the first row of which something is true, as an editor counts, the headings first."""
    return int(np.flatnonzero(wrong.to_numpy())[0]) + 2
