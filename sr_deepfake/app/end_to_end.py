"""The whole chain of figure 1: videos are attacked as files, faces are found again, and scored; next to it the face crops."""

from pathlib import Path

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app import build
from sr_deepfake.app.configuration import plain
from sr_deepfake.app.evaluation import describe, evaluate
from sr_deepfake.app.media import file_attacker
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.data.sources.attacked import AttackedVideos
from sr_deepfake.data.sources.data_set import DataSet
from sr_deepfake.experiment.results import read_result
from sr_deepfake.media.files import Job
from sr_deepfake.metrics.classification import classification_metrics
from sr_deepfake.metrics.predictions import setup_scores, videos_of
from sr_deepfake.metrics.worst_case import difference
from sr_deepfake.reporting.numbers import show
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.reporting.terminal import print_table
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import digest, safe_name


def end_to_end(cfg: DictConfig, detector: Path, data: FaceDataModule) -> list[Path]:
    """Score a detector on attacked face crops and on the faces of attacked videos; print and write both next to each other."""
    if data.attack is None or not isinstance(data.source, DataSet):
        raise UserError("experiment=end_to_end needs an attack, and a data set of videos")
    if getattr(data.attack, "reads_labels", False):
        raise UserError(
            "experiment=end_to_end: this attack reads labels, which nobody gives it in a video; choose another one"
        )
    how = build.evaluation(cfg, force=bool(cfg.evaluate.force))
    crops = evaluate(detector, data, how)
    name = describe(data.attack, how.device).name  # type: ignore[arg-type]  # an attack, as `build.attack` makes it
    settings = cfg.copy()
    settings.cache.attacked = False  # the faces of a file are met once
    attacker = file_attacker(settings, None)

    def attack(before: Path, after: Path) -> None:
        after.parent.mkdir(parents=True, exist_ok=True)
        attacker(Job(before, after), lambda done, number: None)

    attack_digest = describe(build.attack(settings), how.device).digest
    depends = [attack_digest, plain(cfg.faces), plain(cfg.video), str(data.source.crops)]
    folder = how.outputs / "end_to_end" / f"{safe_name(f'{data.source.name}-{name}')}-{digest(depends)[:8]}"
    show_progress = bool(cfg.trainer.enable_progress_bar)
    source = AttackedVideos(data.source, data.tested_on, attack, name, folder, cfg.end_to_end_videos, show_progress)
    again = instantiate(cfg.data, source=source)
    videos = evaluate(detector, again, how)
    if crops is None or videos is None:  # trainer.fast_dev_run
        return []
    tables = [read_result(result).predictions for result in (crops, videos)]
    there = tables[0][tables[0]["video_id"].isin(again.faces.rows["video_id"])].reset_index(drop=True)
    table = chain_table(there, tables[1], f"{read_result(crops).run.model} on {data.tested_on}", name)
    print_table(table)
    for ending, text in (("md", table.markdown()), ("csv", table.csv())):
        (folder / f"{detector.name}-{data.tested_on}.{ending}").write_text(text, encoding="utf-8")
    print(f"Attacked videos, their faces and this table: {folder}")
    return [crops, videos]


def chain_table(crops: pd.DataFrame, videos: pd.DataFrame, detector: str, attack: str) -> ReportTable:
    """Rates of faces and of videos: clean, with attacked crops, and with attacked videos; with the changes of both."""
    rows = []
    for unit in ("faces", "videos"):
        before, after = (_of_videos(each) if unit == "videos" else each for each in (crops, videos))
        for metric in ("fnr", "fpr", "auc"):
            cells = [show(_rate(before, "clean", metric))]
            for table, setup in ((before, "both"), (after, "clean")):
                change = difference(before, table, metric, ("clean", setup))
                cells += [show(_rate(table, setup, metric)), show(change[0], "points", change[1])]
            rows.append([unit, metric.upper(), *cells])
    counts = ", ".join(f"{len(each):,} faces of {each['video_id'].nunique():,} videos" for each in (crops, videos))
    return ReportTable(
        name="end_to_end",
        title=f"End to end: {detector}, attack {attack}",
        columns=["Of", "", "Clean", "Face crops attacked", "Change", "Videos attacked", "Change (videos)"],
        rows=rows,
        caption=f"Rates in %, changes in points, 95 % intervals by cluster; {counts}. A video's score is the mean of its faces'.",
        text_columns=2,
        group_by=1,
        remarks=[
            "Of attacked videos, faces are found and cut again after encoding; face crops are attacked as they are."
        ],
    )


def _rate(faces: pd.DataFrame, setup: str, metric: str) -> float:
    score, logit = (setup_scores(faces, setup, column) for column in ("score", "logit"))
    return classification_metrics(score, faces["label"], logit)[metric]


def _of_videos(faces: pd.DataFrame) -> pd.DataFrame:
    """Predictions of videos: one row each, with the means of its faces' scores."""
    found = videos_of(faces)
    first = faces.assign(unit=found.units).drop_duplicates("unit").sort_values("unit").reset_index(drop=True)
    for column in ("score", "score_attacked", "logit", "logit_attacked"):
        first[column] = found.means(faces[column].clip(-1e6, 1e6))
    return first.drop(columns="unit")
