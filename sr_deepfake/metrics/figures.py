"""What a run's figures are: each with its interval, and with what the attack changed."""

import math
from typing import Annotated, Any

import pandas as pd
from pydantic import BeforeValidator, Field

from sr_deepfake.system.values import Frozen


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]  # None: undefined


class Figure(Frozen):
    """A figure of one setup.

    Attributes:
        value: a fraction, dB for PSNR; None where it is undefined.
        low: end of the 95 % interval; None without one.
        high: likewise.
        change: attacked less clean; None for clean faces.
        change_low: end of its 95 % interval.
        change_high: likewise.
        p: of the test of the change, not corrected for the number of runs; None without a test.
    """

    value: Number = None
    low: Number = None
    high: Number = None
    change: Number = None
    change_low: Number = None
    change_high: Number = None
    p: Number = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the value; None without one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def change_interval(self) -> tuple[float, float] | None:
        """The interval of the change; None without one."""
        return None if self.change_low is None or self.change_high is None else (self.change_low, self.change_high)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the change is known and does not hold 0."""
        around = self.change_interval
        return around is not None and (around[0] > 0 or around[1] < 0)


class Counts(Frozen):
    """What was scored.

    Attributes:
        faces: number of faces.
        pristine: of these, pristine ones.
        fake: of these, fakes.
        videos: number of videos.
        clusters: number of clusters of all, of the pristine and of the fake faces (of targets and sources that are
            crossed, the smaller number).
        clusters_pristine: likewise.
        clusters_fake: likewise.
    """

    faces: int = Field(ge=1)
    pristine: int = Field(ge=0)
    fake: int = Field(ge=0)
    videos: int = Field(ge=1)
    clusters: int = Field(ge=0)
    clusters_pristine: int = Field(ge=0)
    clusters_fake: int = Field(ge=0)


class Bootstrap(Frozen):
    """How the intervals were made.

    Attributes:
        resamples: how many.
        level: share within.
        seed: of the draws.
        unit: what was drawn: "cluster", or "target × source".
        seeds: of the training: how many detectors the figures are the mean of.
    """

    resamples: int
    level: float
    seed: int
    unit: str
    seeds: int = 1


class Threshold(Frozen):
    """A threshold next to 0.5, chosen on clean validation faces.

    Attributes:
        value: None: none could be chosen.
        rule: in words.
        faces: that chose it.
    """

    value: Number = None
    rule: str = ""
    faces: int = 0


class Turned(Frozen):
    """How many decisions the attack turned.

    Attributes:
        worsened: right on the clean face, wrong on the attacked one.
        improved: the other way.
    """

    worsened: int
    improved: int


class Metrics(Frozen):
    """All figures of a run.

    Attributes:
        counts: of faces, videos and clusters.
        bootstrap: of the intervals.
        threshold: the one next to 0.5.
        turned: for `fnr` and `fpr`; empty without an attack.
        figures: setup → metric → figure. Setups are `clean`, `both` (all faces attacked, the paper's table 1) and `fake`
            (fakes attacked, table 2); `threshold/clean` and so on at the chosen threshold; `video/clean` and so on of
            videos, whose score is the mean of their frames'; `similarity/pristine` and `similarity/fake`; `correlation`.
    """

    counts: Counts
    bootstrap: Bootstrap
    threshold: Threshold
    turned: dict[str, Turned]
    figures: dict[str, dict[str, Figure]]

    @property
    def is_attacked(self) -> bool:
        """Whether faces were attacked."""
        return "both" in self.figures

    def figure(self, setup: str, metric: str) -> Figure:
        """A figure; one without a value where it was not computed."""
        return self.figures.get(setup, {}).get(metric, Figure())

    def value(self, setup: str, metric: str) -> float | None:
        """The value of a figure; None where it is undefined or was not computed."""
        return self.figure(setup, metric).value

    def frame(self) -> pd.DataFrame:
        """One row a figure: `setup`, `metric` and the fields of `Figure`."""
        rows = [
            {"setup": setup, "metric": metric, **figure.model_dump()}
            for setup, found in self.figures.items()
            for metric, figure in found.items()
        ]
        return pd.DataFrame(rows, columns=["setup", "metric", *Figure.model_fields])
