"""Networks that restore faces: GFPGAN, RestoreFormer and CodeFormer, from their files alone."""

import importlib
import logging
from typing import Any

from torch import Tensor, nn

from sr_deepfake.super_resolution.networks import Called, recognised, refused
from sr_deepfake.super_resolution.weights import OPTION, check_finite, find_weights, read_weights
from sr_deepfake.system.checkpoints import spellings
from sr_deepfake.system.errors import MissingWeightsError, UserError

SIDE = 512  # px, of the faces that all of them were trained on
# Its licence forbids commercial use, so that spandrel keeps it in a package of its own.
_EXTRA = "spandrel_extra_arches"
_OF_CODEFORMER = ("position_emb", "idx_pred_layer.1.weight")
_log = logging.getLogger(__name__)


def restoration_network(weights: str | None = None) -> nn.Module:
    """Build the network that a file of weights belongs to; the file tells which one.

    Known are GFPGAN (Wang et al. 2021; the "clean" files, 1.2 to 1.4), RestoreFormer (Wang et al. 2022) and, where
    `spandrel_extra_arches` is installed, CodeFormer (Zhou et al. 2022, fidelity 0.5).

    Args:
        weights: safetensors, or a PyTorch file of tensors only. Nothing in it is ever run.

    Returns:
        B×3×512×512 RGB in [0, 1] → the same shape, not clipped; frozen, in evaluation mode, with the attribute `name`.
        The same face gives the same result: GFPGAN gets the noise that is stored with its weights.

    Raises:
        UserError: in one line: there is no file, or it holds no network that restores faces.
    """
    if weights is None:
        raise MissingWeightsError(
            f"attack=restoration builds the network of a file, such as GFPGANv1.4.pth; name it with {OPTION}"
        )
    path = find_weights(weights, "", "a network that restores faces")
    state = read_weights(path)
    check_finite(state, path)
    if any(all(name in names for name in _OF_CODEFORMER) for names in spellings(state)):
        try:
            importlib.import_module(_EXTRA).install(ignore_duplicates=True)
        except ImportError:
            raise UserError(
                f"{path} holds CodeFormer, whose code forbids commercial use and comes apart: pip install {_EXTRA}"
            ) from None
    found = recognised(state, path)
    name = found.architecture.name
    if found.purpose != "FaceSR":
        what = (
            "enlarges pictures: sr_model=spandrel is for it" if found.purpose == "SR" else "restores no faces"
        )
        raise refused(path, f"its network, {name}, {what}")
    network = Restored(Called(found.model, _answer, found.supports_bfloat16, found.supports_half))
    network.name = found.architecture.id.lower()
    _log.info("%s holds %s, which restores faces", path, name)
    network.network.run_at_once()  # none of the three looks at a face's neighbours
    return network.requires_grad_(False).eval()


def _answer(network: nn.Module, faces: Tensor) -> Any:
    """What the network makes of faces in its own range."""
    # GFPGAN draws noise anew at each call, unless it is told to take its own.
    return network(faces, **({"randomize_noise": False} if hasattr(network, "stylegan_decoder") else {}))[0]


class Restored(nn.Module):
    """A network of faces in [-1, 1], as all of these were trained and as their own programs call them.

    spandrel's own call gives GFPGAN and CodeFormer faces in [0, 1], which look faded to them.

    Args:
        network: B×3×512×512 in [-1, 1] → the same.

    Example:
        >>> import torch
        >>> Restored(nn.Identity())(torch.full((1, 3, 2, 2), 0.25)).unique()
        tensor([0.2500])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        self.name = type(network).__name__.lower()

    def forward(self, faces: Tensor) -> Tensor:
        """Restore B×3×512×512 faces in [0, 1]; returns the same shape."""
        restored: Tensor = self.network(faces * 2 - 1)
        return (restored + 1) / 2
