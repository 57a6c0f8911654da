"""The table of predictions: one row a face. Every metric, table and figure derives from it."""

from pathlib import Path

import pandas as pd

from sr_deepfake.errors import UserError
from sr_deepfake.files import replacing

TEXT = ("face_id", "video_id", "method")
WHOLE = ("label", "side")
FROM_MANIFEST = (*TEXT, *WHOLE)
# All but `score` are NaN where the faces were not attacked; `psnr` is infinite for an unchanged face.
MEASURED = ("score", "score_attacked", "ssim", "psnr", "psnr_wrapped")
COLUMNS = (*FROM_MANIFEST, *MEASURED)


def checked(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with exactly the columns and types of the schema.

    `face_id`, `video_id`, `method`: text. `label`: 1 is fake. `side`: pixels. `score`, `score_attacked`:
    probabilities of fake in [0, 1]. `ssim`: -1 to 1. `psnr`, `psnr_wrapped`: dB.

    Raises:
        ValueError: a column is missing or unknown, a face appears twice, a label is not 0 or 1, a score is
            not in [0, 1], or some faces are attacked and others not.
    """
    missing = [name for name in COLUMNS if name not in predictions.columns]
    unknown = [str(name) for name in predictions.columns if name not in COLUMNS]
    if missing or unknown:
        raise ValueError(f"predictions lack the columns {missing} and have the unknown columns {unknown}")
    types = dict.fromkeys(TEXT, "str") | dict.fromkeys(WHOLE, "int64") | dict.fromkeys(MEASURED, "float64")
    table = predictions[list(COLUMNS)].astype(types).reset_index(drop=True)
    repeated = table["face_id"][table["face_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{len(repeated)} faces appear twice, the first is {repeated.iloc[0]}")
    if not table["label"].isin((0, 1)).all():
        raise ValueError("labels are 1 (fake) or 0 (pristine)")
    if not table["score"].between(0, 1).all():
        raise ValueError("scores are probabilities in [0, 1]; some go beyond or are NaN")
    attacked = table["score_attacked"]
    if not attacked.isna().all() and not attacked.between(0, 1).all():
        raise ValueError("attacked scores are probabilities in [0, 1], for all faces or for none")
    return table


def is_attacked(predictions: pd.DataFrame) -> bool:
    """Whether the faces were scored attacked too."""
    return bool(len(predictions)) and bool(predictions["score_attacked"].notna().all())


def write_predictions(path: Path, predictions: pd.DataFrame) -> None:
    """Write predictions as parquet, whole or not at all.

    Raises:
        ValueError: they do not fit the schema (see `checked`).
    """
    table = checked(predictions)
    with replacing(path) as beside:
        table.to_parquet(beside, index=False)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read predictions.

    Raises:
        UserError: the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise UserError(f"no predictions at {path}; `python -m sr_deepfake.evaluate` writes them")
    try:
        return checked(pd.read_parquet(path))
    except (ValueError, TypeError, OSError) as error:  # pyarrow's errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} does not hold predictions ({reason}); `python -m sr_deepfake.evaluate` writes them anew"
        ) from error
