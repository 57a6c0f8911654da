"""`convention="authors_code"` gives what the published script gives, with torchSR's own network in it."""

import importlib

import cv2
import numpy as np
import pytest
import torch

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr


def torchsr_network(scale):
    torch.manual_seed(scale)
    network = importlib.import_module("torchsr.models.edsr").EDSR(16, 64, scale, 1.0).eval()
    # Untrained, its output is nearly the mean alone. A stronger last layer makes the picture count.
    network.tail[1].weight.data.mul_(30)
    return network


def published_script(network, picture, scale):
    """Rows 3, 5 and 6 of the protocol: BGR from 0 to 255 into torchSR's network, written with OpenCV."""
    height, width = picture.shape[:2]
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    small = cv2.resize(bgr, (width // scale, height // scale), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        large = network(torch.from_numpy(small).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0).numpy()
    encoded = cv2.imencode(".png", large)[1]  # it clips and rounds, as imwrite does
    return large, cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_result_is_that_of_the_published_script(tmp_path, scale):
    path = tmp_path / "edsr64.pt"
    network = torchsr_network(scale)
    torch.save(network.state_dict(), path)
    attack = SuperResolutionAttack(
        edsr(scale=scale, weights=str(path)), scale=scale, convention="authors_code"
    )
    generator = np.random.default_rng(scale)
    pictures = [
        cv2.GaussianBlur(generator.integers(0, 256, (48, 48, 3), dtype=np.uint8), (0, 0), 3) for _ in range(3)
    ]
    pictures = [cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX) for picture in pictures]
    faces = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    attacked = (attack(faces) * 255).round().permute(0, 2, 3, 1).numpy().astype(int)
    for picture, ours in zip(pictures, attacked, strict=True):
        exact, theirs = published_script(network, picture, scale)
        assert theirs.std() > 5
        np.testing.assert_array_equal(np.abs(ours - theirs) <= 1, True)
        # A level apart only where the exact value lies between two levels.
        between = np.abs(exact[..., ::-1] % 1 - 0.5) < 1e-2
        np.testing.assert_array_equal(ours[~between], theirs[~between])
        assert (~between).mean() > 0.9


def test_in_rgb_the_result_is_another(tmp_path):
    path = tmp_path / "edsr64.pt"
    torch.save(torchsr_network(2).state_dict(), path)
    faces = torch.rand(1, 3, 48, 48)
    results = [
        SuperResolutionAttack(edsr(weights=str(path)), convention=convention, precision="float32")(faces)
        for convention in ("authors_code", "rgb")
    ]
    assert (results[0] - results[1]).abs().mean() > 1 / 255
