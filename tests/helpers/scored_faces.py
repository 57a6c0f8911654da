"""Predictions for tests of the experiments' summaries, whose figures are known."""

import numpy as np
import pandas as pd


def predictions(fnr=(0.0, 0.5), fpr=(0.0, 0.25), count=40, sides=(192,), ssim=0.95, psnr=35.0):
    """Count fakes and count pristine faces, of which the given shares (clean, attacked) are classified wrongly."""
    labels = np.repeat([1, 0], count)

    def scores(missed, accused):
        fakes = np.where(np.arange(count) < round(missed * count), 0.2, 0.8)
        pristine = np.where(np.arange(count) < round(accused * count), 0.7, 0.3)
        return np.concatenate([fakes, pristine])

    return pd.DataFrame(
        {
            "face_id": [f"{index:04d}" for index in range(2 * count)],
            "video_id": [f"{index // 4:03d}" for index in range(2 * count)],
            "method": np.where(labels == 1, "FaceSwap", "pristine"),
            "label": labels,
            "side": [sides[index % len(sides)] for index in range(2 * count)],
            "score": scores(fnr[0], fpr[0]),
            "score_attacked": scores(fnr[1], fpr[1]),
            "ssim": np.where(labels == 1, ssim, 0.5),
            "psnr": np.where(labels == 1, psnr, 10.0),
            "ssim_224": 0.98,
            "psnr_224": 35.5,
            "psnr_224_wrapped": 36.0,
        }
    )
