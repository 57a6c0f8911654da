"""Why a detector says what it says: where it looks, and which frequencies of an attack move it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.metrics.spectrum import BANDS, in_band
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.hardware import exact_float32


class _Split(nn.Module):
    """A backbone of timm whose last feature map passes through a layer of its own, as B×C×h×w."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.features = nn.Identity()
        self.last = str(getattr(backbone, "output_fmt", "NCHW")) == "NHWC"

    def forward(self, inputs: Tensor) -> Tensor:
        features: Any = self.backbone.forward_features(inputs)
        if not isinstance(features, Tensor) or features.ndim != 4:
            raise UserError("Grad-CAM needs a map of features, which this backbone has not")
        features = features.permute(0, 3, 1, 2) if self.last else features
        features = self.features(features)
        logits: Tensor = self.backbone.forward_head(features.permute(0, 2, 3, 1) if self.last else features)
        return logits


def attention_maps(detector: TestedDetector, faces: Tensor, attacked: bool = False) -> Tensor:
    """Where a detector finds what speaks for *fake* (Grad-CAM, Selvaraju et al. 2017, by captum)."""
    from captum.attr import LayerGradCam  # it takes a second that nobody else has to wait for

    if isinstance(detector, Detector):
        network: Any = detector.backbone
    elif isinstance(detector, ExternalDetector) and hasattr(detector.network, "forward_head"):
        network = detector.network
    else:
        raise UserError(f"Grad-CAM needs a network of timm, which {getattr(detector, 'label', 'this detector')} is not")
    split = _Split(network)
    with exact_float32(faces.device.type), torch.enable_grad():
        # An external one may see the middle of a face alone.
        seen = faces if isinstance(detector, Detector) else detector.cut(faces)
        prepared = detector.face_input(seen, attacked).requires_grad_()

        def logit(inputs: Tensor) -> Tensor:
            numbers: Tensor = split(inputs)
            return numbers[:, 0] if isinstance(detector, Detector) else detector.fake_logits(numbers)

        maps: Tensor = LayerGradCam(logit, split.features).attribute(prepared, relu_attributions=True)
    shown = F.interpolate(maps.detach().float(), seen.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    side, part = faces.shape[-1], seen.shape[-1]
    before = (side - part) // 2
    return F.pad(shown, (before, side - part - before) * 2)


@torch.no_grad()
def band_changes(detector: TestedDetector, clean: Tensor, attacked: Tensor) -> Tensor:
    """By how much an attack moves the logit of *fake*, as a whole and with one band of frequencies alone."""
    parts = [attacked, *((clean + in_band(attacked - clean, *band)).clamp(0, 1) for band in BANDS)]
    shown = torch.cat([clean, *((part * 255).round() / 255 for part in parts)])
    # The published code resizes attacked faces in another way: what that does is in none of the changes.
    logits = detector.logits(shown, attacked=True).view(1 + len(parts), len(clean)).float().cpu()
    logits = logits.clamp(-30, 30)  # a probability of 1 has no finite one
    return (logits[1:] - logits[0]).T
