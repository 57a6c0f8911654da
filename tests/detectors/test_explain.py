import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.explain import attention_maps, band_changes
from sr_deepfake.detectors.external.checkpoint import open_checkpoint
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.metrics.spectrum import BANDS
from sr_deepfake.system.errors import UserError

# One whose features are B×C×h×w, and one whose features are B×h×w×C.
BACKBONES = {"test_resnet": 64, "swin_tiny_patch4_window7_224": 56}


def by_hand(detector, faces):
    """Grad-CAM as its paper has it: the mean gradient of each channel weights it; what is negative is left out."""
    backbone = detector.backbone
    features = backbone.forward_features(detector.face_input(faces)).detach().requires_grad_()
    backbone.forward_head(features).sum().backward()
    channel = 3 if features.shape[-1] > features.shape[1] else 1
    places = tuple(dim for dim in (1, 2, 3) if dim != channel)
    weights = features.grad.mean(places, keepdim=True)
    maps = (weights * features).sum(channel).relu().detach()
    return F.interpolate(maps[:, None], faces.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_it_is_grad_cam(backbone):
    torch.manual_seed(0)
    detector = Detector(backbone, image_size=BACKBONES[backbone]).eval()
    faces = torch.rand(3, 3, 80, 80)
    maps = attention_maps(detector, faces)
    assert maps.shape == (3, 80, 80)
    assert not maps.requires_grad
    assert maps.max() > 0
    torch.testing.assert_close(maps, by_hand(detector, faces), rtol=1e-4, atol=1e-7)
    with torch.no_grad():  # as in a test
        assert torch.equal(attention_maps(detector, faces), maps)


def ours_and_theirs(seed, path, state=None, **options):
    """A detector, and an external one of the same weights or of those that `state` makes of them."""
    torch.manual_seed(seed)
    ours = Detector("test_resnet", image_size=64, channels_last=False).eval()
    weights = ours.backbone.state_dict()
    torch.save(weights if state is None else state(weights), path)
    config = ours.backbone.pretrained_cfg
    options |= {"mean": config["mean"], "std": config["std"], "size": 64, "backbone": "test_resnet"}
    return ours, ExternalDetector(open_checkpoint, str(path), label="theirs", **options).eval()


@pytest.mark.parametrize(("fake_index", "sign"), [(0, -1), (1, 1)])
def test_a_checkpoint_of_two_numbers_is_seen_into_with_its_sign(fake_index, sign, tmp_path):
    def two(state):
        head = {name: sign * state[name] / 2 for name in ("fc.weight", "fc.bias")}
        return state | {name: torch.cat([-half, half]) for name, half in head.items()}

    ours, theirs = ours_and_theirs(1, tmp_path / "two.pth", two, fake_index=fake_index, output="logits2")
    faces = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(attention_maps(theirs, faces), attention_maps(ours, faces), rtol=1e-4, atol=1e-6)


def test_a_map_lies_where_the_detector_looks_though_it_sees_the_middle_alone(tmp_path):
    ours, theirs = ours_and_theirs(2, tmp_path / "one.pth", output="logit", crop_margin=0.0)
    theirs.expect_margin(0.25)
    faces = torch.rand(2, 3, 90, 90)
    maps = attention_maps(theirs, faces)
    assert maps.shape == (2, 90, 90)
    torch.testing.assert_close(maps[:, 15:75, 15:75], attention_maps(ours, faces[..., 15:75, 15:75]))
    maps[:, 15:75, 15:75] = 0
    assert maps.abs().max() == 0


def test_scores_without_a_finite_logit_move_by_no_more_than_a_large_one():
    class Sure(TestedDetector):
        def forward(self, faces, attacked=False):
            return torch.full((len(faces),), torch.inf)

    assert torch.equal(band_changes(Sure(), torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)), torch.zeros(1, 5))


def test_other_networks_are_refused():
    with pytest.raises(UserError, match="needs a network of timm"):
        attention_maps(TestedDetector(), torch.rand(1, 3, 8, 8))
    with pytest.raises(UserError, match="map of features"):
        attention_maps(Detector("test_vit", image_size=64).eval(), torch.rand(1, 3, 64, 64))


class Mean(TestedDetector):
    """A linear detector: what the parts do adds up, but for rounding."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, faces, attacked=False):
        return 1000 * (faces * self.weights).mean((1, 2, 3))


def test_bands_of_a_linear_detector_add_up_to_the_whole():
    torch.manual_seed(0)
    detector = Mean(torch.randn(3, 64, 64))
    clean = 0.3 + 0.4 * torch.rand(4, 3, 64, 64)
    clean = (clean * 255).round() / 255
    attacked = ((clean + 0.05 * torch.randn(clean.shape)).clamp(0, 1) * 255).round() / 255
    moved = band_changes(detector, clean, attacked)
    assert moved.shape == (4, 1 + len(BANDS))
    torch.testing.assert_close(moved[:, 0], detector(attacked).detach() - detector(clean).detach())
    torch.testing.assert_close(moved[:, 1:].sum(1), moved[:, 0], rtol=0, atol=0.1 * float(moved.abs().max()))


def test_an_attack_in_one_band_moves_by_that_band_alone():
    wave = torch.cos(torch.pi * torch.arange(64.0)).expand(1, 3, 64, 64)  # the finest that there is
    detector = Mean(wave[0])
    clean = torch.full((1, 3, 64, 64), 0.5)
    moved = band_changes(detector, clean, clean + 0.1 * wave)[0]
    assert moved[-1] == pytest.approx(float(moved[0]), rel=0.1)
    assert moved[1:-1].abs().max() < 0.01 * abs(float(moved[0]))
