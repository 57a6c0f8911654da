import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.device_augmentation import UNCHANGED, DeviceAugmentation, move

PROTOCOL = {"jpeg": 0.2, "noise": 0.3, "flip": 0.5, "grey": 0.2, "affine": 0.5}


def photo_like(count=1, side=48, seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=rng) * 255
    return F.resize(coarse, [side, side], antialias=True).round().clamp(0, 255).to(torch.uint8)


@given(
    angle=st.floats(-5, 5),
    zoom=st.floats(0.8, 1.2),
    right=st.integers(-4, 4),
    down=st.integers(-4, 4),
)
def test_moving_is_torchvision_s_affine(angle, zoom, right, down):
    faces = photo_like(2)
    padded = F.pad(faces.float(), [16] * 4, padding_mode="reflect")
    expected = F.center_crop(
        F.affine(padded, angle, [right, down], zoom, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR),
        [48, 48],
    )
    moved = move(
        faces.float(),
        torch.full((2,), angle),
        torch.full((2,), zoom),
        torch.tensor([[right, down]]).expand(2, 2),
    )
    assert (moved - expected).abs().max() < 0.02  # grey levels


def test_each_operation_is_that_of_the_augmentation_face_by_face():
    faces = photo_like(1)
    for name in ("flip", "grey"):
        expected = Augmentation({name: 1.0})(faces[0], np.random.default_rng(0))
        face, drawn = DeviceAugmentation({name: 1.0}).draw(faces[0], seed=0, epoch=0, index=0)
        got = DeviceAugmentation({name: 1.0})(face[None], drawn[None])[0] * 255
        assert (got - expected).abs().max() < 1e-3
    jpeg, drawn = DeviceAugmentation({"jpeg": 1.0}).draw(faces[0], seed=0, epoch=0, index=0)
    assert (jpeg != faces[0]).any()
    assert (jpeg.int() - faces[0].int()).abs().float().mean() < 8
    assert drawn.tolist() == list(UNCHANGED)


def test_the_noise_has_the_standard_deviation_that_was_drawn():
    augmentation = DeviceAugmentation({"noise": 1.0})
    face = torch.full((3, 96, 96), 128, dtype=torch.uint8)
    _, drawn = augmentation.draw(face, seed=0, epoch=0, index=3)
    out = augmentation(face[None], drawn[None]) * 255
    assert 10**0.5 <= drawn[0] <= 50**0.5
    assert out.std().item() == pytest.approx(drawn[0].item(), rel=0.03)
    assert (out - out.round()).abs().max() < 1e-3


def test_the_draws_have_the_probabilities_and_ranges_of_the_augmentation():
    augmentation = DeviceAugmentation(PROTOCOL)
    face = photo_like(1, side=48)[0]
    drawn = torch.stack([augmentation.draw(face, seed=1, epoch=0, index=index)[1] for index in range(2000)])
    noise, _, flip, grey, angle, zoom, right, down = drawn.T
    for share, name in (
        ((noise > 0), "noise"),
        (flip > 0, "flip"),
        (grey > 0, "grey"),
        (zoom != 1, "affine"),
    ):
        assert share.float().mean().item() == pytest.approx(PROTOCOL[name], abs=0.04)
    assert angle.abs().max() <= 5
    assert 0.8 <= zoom.min() < 0.82
    assert 1.18 < zoom.max() <= 1.2
    assert right.abs().max() == down.abs().max() == 5


def test_a_face_depends_on_seed_epoch_and_index_alone_and_a_batch_on_its_faces():
    augmentation = DeviceAugmentation(PROTOCOL)
    faces = photo_like(6)
    pairs = [augmentation.draw(face, seed=0, epoch=1, index=index) for index, face in enumerate(faces)]
    again = [augmentation.draw(face, seed=0, epoch=1, index=index) for index, face in enumerate(faces)]
    assert all(
        torch.equal(a, b)
        for pair, other in zip(pairs, again, strict=True)
        for a, b in zip(pair, other, strict=True)
    )
    jpeg, drawn = torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])
    together = augmentation(jpeg, drawn)
    assert (drawn[:, 0] > 0).any()
    alone = torch.cat([augmentation(jpeg[i : i + 1], drawn[i : i + 1]) for i in range(6)])
    assert (together - alone).abs().max() < 1e-6
    other = augmentation.draw(faces[0], seed=0, epoch=2, index=0)
    assert not torch.equal(pairs[0][1], other[1]) or not torch.equal(pairs[0][0], other[0])


def test_an_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="blur"):
        DeviceAugmentation({"blur": 0.5})
