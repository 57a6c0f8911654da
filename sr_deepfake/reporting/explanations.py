"""What was found out about why an attack works, ready to be drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import model_name, number, signed
from sr_deepfake.reporting.table import ReportTable, Row

# In cycles per pixel, as `metrics.spectrum.BANDS`.
BAND_NAMES = ("below 1/16", "1/16 to 1/8", "1/8 to 1/4", "above 1/4")
_LEAST = 0.1  # of a change of the logit that shares are told of


@dataclass(frozen=True)
class Spectrum:
    """The power of each frequency in faces of one kind.

    Attributes:
        kind: "pristine", or the forgery method.
        power: by setup ("clean", "attacked", "control"): of each ring of `metrics.spectrum`, in squared grey levels,
            the mean over the faces.
        faces: how many.
    """

    kind: str
    power: Mapping[str, npt.NDArray[np.float64]]
    faces: int


@dataclass(frozen=True)
class BandChange:
    """By how much an attack moves a detector's logit of *fake*, in the mean over faces.

    Attributes:
        model: short name.
        forgery: the method whose fakes were tested.
        fakes: by the whole attack, then by the part of it in each of `metrics.spectrum.BANDS`; None: there are none.
        pristine: the same of pristine faces.
    """

    model: str
    forgery: str
    fakes: Sequence[float] | None
    pristine: Sequence[float] | None


@dataclass(frozen=True)
class Explanations:
    """Everything that was found out.

    Attributes:
        spectra: pristine faces first.
        changes: one a detector.
    """

    spectra: Sequence[Spectrum] = ()
    changes: Sequence[BandChange] = ()


def band_table(found: Explanations, grid: ReportGrid, illustration: str | None = None) -> ReportTable | None:
    """Which share of the change of a detector's logit each band brings alone; None where no detector was looked into.

    Args:
        found: by the explainer.
        grid: of the report.
        illustration: the caption that says that the figures are illustrations.
    """
    rows: list[Row] = []
    for change in found.changes:
        for name, moved in (("fakes", change.fakes), ("pristine", change.pristine)):
            if moved is not None:
                told = abs(moved[0]) >= _LEAST
                shares = [number(part / moved[0], 0, 100) if told else None for part in moved[1:]]
                rows.append([model_name(change.model), change.forgery, name, signed(moved[0], 2), *shares])
    if not rows:
        return None
    words = [f"Attack: {grid.attack}.", illustration or ""]
    return ReportTable(
        name="bands",
        title="Which frequencies of the attack move the detectors",
        columns=["Model", "Method", "Faces", "Change of logit", *(f"{band} (%)" for band in BAND_NAMES)],
        rows=rows,
        caption=" ".join(word for word in words if word),
        text_columns=3,
        group_by=2,
        remarks=[
            "Bands in cycles per pixel. A share is what a band of the attack does alone, of what the whole attack "
            f"does, in the mean over faces; of changes below {_LEAST} none is told. A detector is not linear: shares "
            "need not add up to 100."
        ],
    )
