"""The table of predictions, one row a face, from which every figure derives; and the videos that faces are of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sr_deepfake.metrics.classification import Array, Index
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

TEXT = ("face_id", "video_id", "cluster", "target", "source", "method")
WHOLE = ("label", "side")
FROM_MANIFEST = (*TEXT, *WHOLE)
# At the face's own size, and as the paper's table 3 was measured: at 224 px, the PSNR also on numbers that wrap around.
SIMILARITY = ("ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped")
# NaN where faces were not attacked, except `score` and `logit`; a PSNR is infinite for an unchanged face.
MEASURED = ("score", "logit", "score_attacked", "logit_attacked", *SIMILARITY)
COLUMNS = (*FROM_MANIFEST, *MEASURED)
SETUPS = ("clean", "both", "fake")  # no face, all faces (the paper's table 1), fakes alone (table 2) are attacked


def checked(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with exactly the columns and types of the schema.

    `face_id`, `video_id`, `method`: text. `cluster`: text, what is resampled as one; `target`, `source`: identities, empty
    where there is none. `label`: 1 is fake. `side`: pixels. `score`, `score_attacked`: probabilities of fake in [0, 1];
    `logit`, `logit_attacked`: their logits, which order faces whose probabilities are equal. `ssim`, `ssim_224`: -1 to 1.
    `psnr`, `psnr_224`, `psnr_224_wrapped`: dB.
    """
    missing = [name for name in COLUMNS if name not in predictions.columns]
    if "cluster" in missing and "face_id" in predictions.columns:
        raise ValueError("it is of an older version, which did not say what belongs together (no column cluster)")
    unknown = [str(name) for name in predictions.columns if name not in COLUMNS]
    if missing or unknown:
        raise ValueError(f"predictions lack the columns {missing} and have the unknown columns {unknown}")
    types = dict.fromkeys(TEXT, "str") | dict.fromkeys(WHOLE, "int64") | dict.fromkeys(MEASURED, "float64")
    table = predictions[list(COLUMNS)].astype(types).reset_index(drop=True)
    repeated = table["face_id"][table["face_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{len(repeated)} faces appear twice, the first is {repeated.iloc[0]}")
    if not table["label"].isin((0, 1)).all():
        raise ValueError("labels must be 1 (fake) or 0 (pristine)")
    if not table["score"].between(0, 1).all() or table["logit"].isna().any():
        raise ValueError("scores must be probabilities in [0, 1] with their logits; some are outside or NaN")
    attacked = table["score_attacked"]
    if not attacked.isna().all() and (not attacked.between(0, 1).all() or table["logit_attacked"].isna().any()):
        raise ValueError("attacked scores must be probabilities in [0, 1] with their logits, for all faces or for none")
    return table


def is_attacked(predictions: pd.DataFrame) -> bool:
    """Whether the faces were scored attacked too."""
    return bool(len(predictions)) and bool(predictions["score_attacked"].notna().all())


def setup_scores(predictions: pd.DataFrame, setup: str, column: str = "score") -> pd.Series:
    """Return the score (or logit) of each face in a setup of `SETUPS`.

    >>> faces = pd.DataFrame({"label": [1, 0], "score": [0.9, 0.1], "score_attacked": [0.4, 0.2]})
    >>> [setup_scores(faces, setup).tolist() for setup in SETUPS]
    [[0.9, 0.1], [0.4, 0.2], [0.4, 0.1]]
    """
    clean = predictions[column]
    if setup == "clean":
        return clean
    attacked = predictions[f"{column}_attacked"]
    if setup == "both":
        return attacked
    if setup == "fake":
        return attacked.where(predictions["label"] == 1, clean)
    raise ValueError(f"unknown setup {setup!r}; there are {', '.join(SETUPS)}")


def write_predictions(path: Path, predictions: pd.DataFrame) -> None:
    """Write predictions as parquet, whole or not at all."""
    table = checked(predictions)
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read predictions."""
    if not path.is_file():
        raise UserError(f"no predictions at {path}; `python -m sr_deepfake.evaluate` writes them")
    try:
        return checked(pd.read_parquet(path))
    except (ValueError, TypeError, OSError) as error:  # pyarrow's errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} does not hold predictions ({reason}); score them again with evaluate.force=true"
        ) from error


@dataclass(frozen=True)
class Videos:
    """The videos of a table of predictions, pristine ones first, by name within a class.

    A video is a `video_id` with a label: were a name to stand for pristine and fake faces, as it never does in
    FaceForensics++, these would be two videos.
    """

    units: Index  # for each face the number of its video, from 0
    labels: Index  # for each video 1 (fake) or 0 (pristine)
    frames: Index  # for each video its number of faces

    def means(self, values: npt.ArrayLike) -> Array:
        """Average over a video's faces, N numbers → one a video; of scores, the scores of the videos."""
        weights = np.asarray(values, dtype=np.float64)
        return np.bincount(self.units, weights, len(self.labels)) / self.frames


def videos_of(predictions: pd.DataFrame) -> Videos:
    """Find the videos of faces, from their `video_id` and `label`."""
    groups = predictions.groupby(["label", "video_id"], sort=True)
    units = np.asarray(groups.ngroup(), dtype=np.intp)
    labels = np.zeros(groups.ngroups, dtype=np.intp)
    labels[units] = predictions["label"].to_numpy()
    return Videos(units, labels, np.bincount(units, minlength=len(labels)))
