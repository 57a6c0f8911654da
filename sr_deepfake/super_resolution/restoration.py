"""Networks that restore faces: GFPGAN, RestoreFormer and CodeFormer, from their files alone."""

import importlib
import logging
from pathlib import Path

from torch import Tensor, nn

from sr_deepfake.super_resolution.networks import SpandrelNetwork, recognised
from sr_deepfake.super_resolution.weights import OPTION, refused
from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import MissingWeightsError, UserError

SIDE = 512  # px, of the faces that all of them were trained on
# Its licence forbids commercial use, so that spandrel keeps it in a package of its own.
_EXTRA = "spandrel_extra_arches"
_OF_CODEFORMER = {"position_emb", "idx_pred_layer.1.weight"}
_log = logging.getLogger(__name__)


def restoration_network(weights: str | None = None) -> nn.Module:
    """Build the network that a file of weights belongs to; the file tells which one.

    Known are GFPGAN (Wang et al. 2021; the "clean" files, 1.2 to 1.4), RestoreFormer (Wang et al. 2022) and, where
    `spandrel_extra_arches` is installed, CodeFormer (Zhou et al. 2022, fidelity 0.5). Nothing in a file is ever run.

    The network gives B×3×512×512 for RGB of this shape in [0, 1], not clipped; it is frozen and has the attribute `name`. The
    same face gives the same result: GFPGAN gets the noise that is stored with its weights.
    """
    if weights is None:
        raise MissingWeightsError(
            f"attack=restoration builds the network of a file, such as GFPGANv1.4.pth: name it with {OPTION}=FILE"
        )
    path = Path(weights).expanduser()
    if any(names.keys() >= _OF_CODEFORMER for names in spellings(read_tensors(path, OPTION))):
        try:
            importlib.import_module(_EXTRA).install(ignore_duplicates=True)
        except ImportError:
            raise UserError(
                f"{path} holds CodeFormer, whose code forbids commercial use and comes apart: pip install {_EXTRA}"
            ) from None
    found = recognised(path)
    if found.purpose != "FaceSR":
        what = "enlarges pictures: sr_model=spandrel is for it" if found.purpose == "SR" else "restores no faces"
        raise refused(path, f"its network, {found.architecture.name}, {what}")
    _log.info("%s holds %s, which restores faces", path, found.architecture.name)
    network = RestorationNetwork(found)
    network.in_batches = True  # none of the three looks at a face's neighbours
    return network


def no_network() -> nn.Module:
    """What stands for a network in the control: faces stay as they are."""
    network = nn.Identity()
    network.name = "none"  # type: ignore[assignment]  # a word, read by the attack
    return network


class RestorationNetwork(SpandrelNetwork):
    """A network of faces in [-1, 1], called as its own program does (spandrel's call gives two of them faded faces)."""

    def answer(self, images: Tensor) -> Tensor:
        """Restore B×3×512×512 faces in [0, 1]; returns the same shape."""
        # GFPGAN draws new noise at each call, unless it is asked to take its own.
        options = {"randomize_noise": False} if hasattr(self.network, "stylegan_decoder") else {}
        restored: Tensor = self.network(images * 2 - 1, **options)[0]
        return (restored + 1) / 2
