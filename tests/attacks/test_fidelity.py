"""What the fast path costs in exactness, on the bundled weights and 100 faces of the embedded sample."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import sr_deepfake
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr, edsr_network

IDENTITIES = Path(sr_deepfake.__file__).parent / "data" / "sample" / "assets" / "identities"
SIDE = 120


@pytest.fixture(scope="module")
def faces():
    """100 crops from the middle of frames, at their own resolution."""
    files = sorted(IDENTITIES.glob("*.mp4"))
    crops = []
    while len(crops) < 100:
        file, wanted = files[len(crops) % len(files)], 5 * (len(crops) // len(files))
        with av.open(str(file)) as container:
            frame = next(frame for index, frame in enumerate(container.decode(video=0)) if index == wanted)
        picture = frame.to_ndarray(format="rgb24")
        top, left = ((length - SIDE) // 2 for length in picture.shape[:2])
        crops.append(picture[top : top + SIDE, left : left + SIDE])
    return torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy()).float() / 255


def attacked(faces, **options):
    return SuperResolutionAttack(edsr(), 2, **options)(faces)


def levels_between(first, second):
    return ((first - second).abs() * 255).round()


@pytest.fixture(scope="module")
def exact(faces):
    return attacked(faces, precision="float32")


def test_bf16_differs_by_one_level_at_most_nearly_everywhere_and_by_two_at_the_most(faces, exact):
    difference = levels_between(attacked(faces, precision="bf16"), exact)
    assert (difference <= 1).double().mean() >= 0.999
    assert difference.max() <= 2
    assert (exact != faces).double().mean() > 0.3  # the attack does change faces


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_another_batch_size_changes_next_to_nothing(faces, precision):
    few = faces[:12]
    one = attacked(few, precision=precision, max_pixels=1)
    five = attacked(few, precision=precision, max_pixels=5 * SIDE**2)
    difference = levels_between(one, five)
    assert difference.max() <= 1
    assert (difference > 0).double().mean() <= 0.001


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["auto", "bf16", "fp16"])
def test_a_gpu_is_as_close(faces, exact, precision):
    attack = SuperResolutionAttack(edsr(), 2, precision=precision).cuda()
    difference = levels_between(attack(faces.cuda()).cpu(), exact)
    assert (difference <= 1).double().mean() >= 0.999
    assert difference.max() <= 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_gives_the_same_faces(faces):
    torch.manual_seed(0)
    network = edsr_network(scale=2, blocks=1, features=8).requires_grad_(False).eval()
    plain, compiled = (SuperResolutionAttack(network, 2, compile=compile) for compile in (False, True))
    for few in (faces[:2], faces[:3, :, :96, :96]):
        assert levels_between(plain(few), compiled(few)).max() <= 1
