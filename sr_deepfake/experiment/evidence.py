"""What a test keeps to look at: faces whose decision the attack flipped, spectra, and what moves the detector."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.values import Frozen

EVIDENCE, INDEX = "evidence", "index.json"
Kind = Literal["missed", "false alarm"]
KINDS: dict[Kind, int] = {"missed": 1, "false alarm": 0}  # label of the faces
PICTURES = ("clean", "attacked", "heat", "heat_attacked")
_NAME = r"^[A-Za-z0-9_-]+\.png$"


class FlippedFace(Frozen):
    """A face whose decision the attack turned from right to wrong, and the names of its PNGs."""

    kind: Kind
    face_id: str  # of the manifest
    score: float  # probability of fake
    score_attacked: float
    ssim: float  # of the clean and the attacked face
    clean: str = Field(pattern=_NAME)  # RGB
    attacked: str = Field(pattern=_NAME)
    # Where the detector looks (Grad-CAM, 8-bit grey), on one scale for both faces; empty where that is not known
    heat: str = Field(default="", pattern=rf"{_NAME}|^$")
    heat_attacked: str = Field(default="", pattern=rf"{_NAME}|^$")


class Spectrum(Frozen):
    """The power of each frequency in faces of one kind."""

    kind: str  # "pristine", or the forgery method
    faces: int  # how many
    # For "clean", "attacked" and, where the attack has a network, "control" (without it): of each ring of
    # `metrics.spectrum`, in squared grey levels, the mean over the faces
    power: dict[str, tuple[float, ...]]


class Evidence(Frozen):
    """Everything that a test kept."""

    flipped: tuple[FlippedFace, ...] = ()  # those whose score moved furthest first
    spectra: tuple[Spectrum, ...] = ()  # of pristine faces and of fakes
    # For "fake" and "pristine", by how much the attack moves the logit of *fake* in the mean over faces: the whole attack,
    # then its part in each of `metrics.spectrum.BANDS`
    bands: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what is not known, and why


def write_index(folder: Path, evidence: Evidence) -> None:
    """Write the index of a folder of results; its pictures are there already."""
    evidence.write(folder / EVIDENCE / INDEX)


def read_evidence(folder: Path) -> Evidence:
    """Read what the test of a folder of results kept; nothing where it kept nothing."""
    path = folder / EVIDENCE / INDEX
    if not path.is_file():
        return Evidence()
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())[:120]})") from None
