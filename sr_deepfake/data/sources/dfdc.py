"""The Deepfake Detection Challenge's data set, and its preview.

    <root>/dfdc_train_part_NN/metadata.json    {"name.mp4": {"label": "FAKE"|"REAL", "original": "other.mp4"}}
    <root>/test/metadata.json                  {"name.mp4": {"is_fake": 1|0}}, or labels.csv: filename, label
    <root>/dataset.json (preview)              {"path.mp4": {"label": …, "target_id": …, "set": "train"|"test"}}

Forgeries of one original stay together (Dolhansky et al., 2019 and 2020). A tenth of the originals of the training
parts is for validation; where there is no test folder, a tenth is the test set.
"""

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sr_deepfake.data.manifest import PRISTINE, DataNotFoundError, video_table
from sr_deepfake.data.sources.splits import share_of
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import read_text, safe_name

log = logging.getLogger(__name__)

METHOD = "DFDC"
SHARE = 0.1  # of the originals, for validation, and for the test where there is none

Entry = tuple[Path, bool, str, str]  # the file, whether it is a fake, its group, its set


def videos(root: Path) -> pd.DataFrame:
    """List the videos that the lists name."""
    listed = _preview(root) if (root / "dataset.json").is_file() else _challenge(root)
    found: dict[Path, Entry] = {}
    for path, fake, group, part in listed:  # a video may be in two lists: the first, metadata.json, knows its original
        found[path] = (*found.get(path, (path, fake, group))[:3], part)
    entries = list(found.values())
    if not any(path.is_file() for path, *_ in entries):
        raise DataNotFoundError(
            f"{root}: not one of {len(entries):,} listed videos is there. data.root= names the folder with "
            "dfdc_train_part_NN/, a test folder, or dataset.json"
        )
    folders = {path.parent for path, *_ in entries}
    for folder in sorted({path.parent for path in (*root.glob("*/*.mp4"), *root.glob("*/*/*.mp4"))} - folders):
        log.warning("%s has videos and no list (metadata.json, labels.csv): they are left out.", folder)
    tested = any(part == "test" for *_, part in entries)
    rows: list[dict[str, object]] = []
    for path, fake, group, part in entries:
        share = share_of(group)
        rest = "train" if tested or share >= 2 * SHARE else "test"
        name = safe_name(path.stem, path.relative_to(root).as_posix())
        rows.append(
            {
                "video_id": f"{METHOD if fake else PRISTINE}/{name}", "path": path, "target": group,
                "split": "test" if part == "test" else "val" if share < SHARE else rest,
            }
        )  # fmt: skip
    return video_table(rows)


def _preview(root: Path) -> Iterator[Entry]:
    for name, facts in _json(root / "dataset.json").items():
        fake = _is_fake(root / "dataset.json", name, facts)
        yield root / name, fake, f"target-{facts.get('target_id')}", str(facts.get("set"))


def _challenge(root: Path) -> Iterator[Entry]:
    for file in sorted({*root.glob("metadata.json"), *root.glob("*/metadata.json"), *root.glob("*/*/metadata.json")}):
        for name, facts in _json(file).items():
            part = "test" if "is_fake" in facts else "train"
            group = str(facts.get("original") or name)
            yield file.parent / name, _is_fake(file, name, facts), group, part
    for file in sorted({*root.glob("labels.csv"), *root.glob("*/labels.csv")}):
        for row in csv.DictReader(io.StringIO(read_text(file))):
            named = str(row.get("filename") or "")
            if not named or row.get("label") is None:
                raise UserError(f"{file} has a row without filename and label: {row}")
            yield file.parent / named, _is_fake(file, named, row), named, "test"


def _is_fake(file: Path, name: str, facts: Mapping[str, Any]) -> bool:
    label = str(facts.get("label", facts.get("is_fake"))).strip().lower().removesuffix(".0")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{file} names {name!r}, which is outside its folder")
    if label not in ("fake", "real", "0", "1", "true", "false"):
        raise UserError(f"{file}: {name} has the label {label!r}, which is neither FAKE nor REAL")
    return label in ("fake", "1", "true")


def _json(file: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(facts, dict) for facts in content.values()):
        raise UserError(f"{file} does not list videos by name")
    return content
