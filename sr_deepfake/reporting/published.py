"""The figures that the paper published, from its tables 1, 2 and 3."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from sr_deepfake.reporting.numbers import TABLE

FOLDER = Path(__file__).with_name("paper")
# What the paper calls the models and the data set that its figures are of.
MODEL_NAMES = {"resnet50": "Resnet50", "swin": "Swin", "xception": "XceptionNet"}
DATA = "ffpp"
ATTACK = "sr-edsr-x2"
CORRELATION_ATTACK = "sr-edsr-x4"  # what the published script took for the correlation
CORRELATION = 0.1  # |r| is lower (section 5.2)
PRISTINE = "Pristine"
MODELS = ("resnet50", "swin", "xception")  # in the order of the paper's tables
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
FACES = (14_400, 2_800)  # for training and for the test, of a method (section 4.1)


@cache
def published_rates() -> dict[tuple[int, str, str, bool], dict[str, float]]:
    """Tables 1 and 2: (table, model, forgery method, attacked) → the six rates in %."""
    names = {shown: model for model, shown in MODEL_NAMES.items()}
    table = pd.read_csv(FOLDER / "tables_1_and_2.csv").replace({"model": names}).astype({"sr": bool})
    rates: dict[Any, Any] = table.set_index(["table", "model", "forgery_method", "sr"])[list(TABLE)].to_dict("index")
    return rates


@cache
def published_similarity() -> dict[str, tuple[float, float]]:
    """Table 3: "Pristine" or a forgery method → SSIM and PSNR in dB, as the published script computes it (wrapped)."""
    return {method: (ssim, psnr) for method, ssim, psnr in pd.read_csv(FOLDER / "table_3.csv").to_numpy().tolist()}


def model_name(model: str) -> str:
    """A model as the paper calls it."""
    return MODEL_NAMES.get(model, model)
