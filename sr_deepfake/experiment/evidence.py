"""What a test keeps to look at: faces whose decision the attack flipped, spectra, and what moves the detector."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing
from sr_deepfake.system.values import Frozen

EVIDENCE, INDEX = "evidence", "index.json"
Kind = Literal["missed", "false alarm"]
KINDS: dict[Kind, int] = {"missed": 1, "false alarm": 0}  # label of the faces
PICTURES = ("clean", "attacked", "heat", "heat_attacked")
_NAME = r"^[A-Za-z0-9_-]+\.png$"


class FlippedFace(Frozen):
    """A face whose decision the attack turned from right to wrong.

    Attributes:
        kind: "missed" (a fake) or "false alarm" (a pristine face).
        face_id: of the manifest.
        score: probability of fake, clean.
        score_attacked: the same, attacked.
        ssim: similarity of both.
        clean: name of its PNG, RGB.
        attacked: the same of the attacked face.
        heat: where the detector looks in the clean face (Grad-CAM, 8-bit grey); empty where that is not known.
        heat_attacked: the same in the attacked face, on the same scale.
    """

    kind: Kind
    face_id: str
    score: float
    score_attacked: float
    ssim: float
    clean: str = Field(pattern=_NAME)
    attacked: str = Field(pattern=_NAME)
    heat: str = Field(default="", pattern=rf"{_NAME}|^$")
    heat_attacked: str = Field(default="", pattern=rf"{_NAME}|^$")


class Spectrum(Frozen):
    """The power of each frequency in faces of one kind.

    Attributes:
        kind: "pristine", or the forgery method.
        faces: how many.
        power: for "clean", "attacked" and, where the attack has a network, "control" (without it): of each ring of
            `metrics.spectrum`, in squared grey levels, the mean over the faces.
    """

    kind: str
    faces: int
    power: dict[str, tuple[float, ...]]


class Evidence(Frozen):
    """Everything that a test kept.

    Attributes:
        flipped: faces, those whose score moved furthest first.
        spectra: of pristine faces and of fakes.
        bands: for "fake" and "pristine", by how much the attack moves the logit of *fake* in the mean over faces: the whole
            attack, then its part in each of `metrics.spectrum.BANDS`.
        notes: what is not known, and why.
    """

    flipped: tuple[FlippedFace, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    bands: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_index(folder: Path, evidence: Evidence) -> None:
    """Write the index of a folder of results; its pictures are there already."""
    with replacing(folder / EVIDENCE / INDEX) as temporary:
        temporary.write_text(evidence.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_evidence(folder: Path) -> Evidence:
    """Read what the test of a folder of results kept; nothing where it kept nothing."""
    path = folder / EVIDENCE / INDEX
    if not path.is_file():
        return Evidence()
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())[:120]})") from None
