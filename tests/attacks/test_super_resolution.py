"""`convention="authors_code"` gives what the published script gives, with torchSR's own network in it."""

import functools
import importlib
import shutil

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_faces import as_faces, as_pictures, photos
from PIL import Image
from torch import nn

from sr_deepfake.attacks import super_resolution as module
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack, shrink
from sr_deepfake.data.sample.people import identity_table, read_identity
from sr_deepfake.super_resolution.edsr import edsr, edsr_network
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError


@pytest.fixture(scope="module")
def network():
    return edsr()


def assert_rounded(picture, values):
    """The picture is the values, clipped and rounded; which way a tie goes is a matter of float32 sums."""
    assert np.abs(picture - np.clip(values.astype(np.float64), 0, 255)).max() <= 0.5 + 1e-2


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("side", [12, 24, 96, 168, 240])
def test_shrinking_is_opencvs_area_average_to_the_level(side, scale):
    random = np.random.default_rng(side)
    noise = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    ties = random.integers(0, 3, (side, side, 3), dtype=np.uint8)
    for picture in (noise, ties, 255 - ties, photos(1, side)[0]):
        size = (side // scale, side // scale)
        theirs = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        ours = shrink((as_faces(picture[None]) * 255).round(), scale)[0].permute(1, 2, 0)
        np.testing.assert_array_equal(ours.numpy(), theirs)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_control_is_opencv_down_and_up(scale):
    images = photos(2, 48)
    attacked = as_pictures(SuperResolutionAttack(Interpolation(scale), scale)(as_faces(images)))
    for image, result in zip(images, attacked, strict=True):
        small = cv2.resize(image, (48 // scale, 48 // scale), interpolation=cv2.INTER_AREA).astype(np.float32)
        assert_rounded(result, cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC))


def test_with_a_network_it_is_a_plain_loop_over_faces(network):
    images = photos(2, 48)
    attacked = as_pictures(SuperResolutionAttack(network, 2, precision="float32")(as_faces(images)))
    for image, result in zip(images, attacked, strict=True):
        small = cv2.resize(image, (24, 24), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            large = network(as_faces(small[None]))[0].permute(1, 2, 0).double().numpy()
        assert_rounded(result, large * 255)


class Watch(nn.Module):
    """A network that notes what it is given."""

    def __init__(self, scale=2):
        super().__init__()
        self.scale = scale
        self.seen = []

    def forward(self, images):
        self.seen.append((images.clone(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return images.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def test_what_the_network_sees_in_either_convention():
    faces = torch.zeros(1, 3, 4, 4)
    faces[:, 0], faces[:, 1] = 1.0, 51 / 255
    watch = Watch()
    for convention, expected in (("rgb", [1.0, 0.2, 0.0]), ("authors_code", [0.0, 51.0, 255.0])):
        result = SuperResolutionAttack(watch, convention=convention)(faces)
        assert watch.seen[-1][0][0, :, 0, 0].tolist() == pytest.approx(expected)
        torch.testing.assert_close(result, faces, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("mode", "scale"), [(None, 2), ("bicubic", 2), ("bicubic", 3), ("bicubic", 4)])
def test_the_result_is_on_the_8_bit_grid_and_in_range(network, mode, scale):
    faces = torch.rand(1, 3, 48, 48).round()  # black and white noise: networks overshoot here
    result = SuperResolutionAttack(Interpolation(scale, mode) if mode else network, scale)(faces)
    assert torch.isin(result, torch.arange(256) / 255).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 31), st.integers(1, 31), st.sampled_from([2, 3, 4]))
def test_any_size_comes_back_at_its_own(height, width, scale):
    faces = torch.full((2, 3, height, width), 100 / 255)
    result = SuperResolutionAttack(Interpolation(scale), scale)(faces)
    torch.testing.assert_close(result, faces, rtol=0, atol=1e-7)


def test_a_side_that_k_does_not_divide_keeps_its_picture_in_place():
    ramp = (torch.arange(25.0) * 8 / 255).expand(1, 3, 25, 25).contiguous()
    result = SuperResolutionAttack(Interpolation(2), 2)(ramp)
    difference = ((result - ramp).abs() * 255).round()
    assert difference.max() <= 8  # one pixel of the ramp, at the border
    assert difference[..., 2:-3].max() <= 1


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_face_depends_neither_on_its_neighbours_nor_on_its_place(network, precision):
    attack = SuperResolutionAttack(network, precision=precision)
    faces = as_faces(photos(4, 48))
    others = faces.flip(3)
    others[0], others[1], others[2] = faces[2], 1.0, faces[2]
    expected, results = attack(faces)[2], attack(others)
    assert torch.equal(results[0], expected)
    assert torch.equal(results[2], expected)


def test_batches_are_split_by_pixels_and_stay_in_order():
    watch = Watch()
    faces = as_faces(photos(5, 24))
    whole = SuperResolutionAttack(Watch())(faces)
    assert torch.equal(SuperResolutionAttack(watch, max_pixels=2 * 24 * 24)(faces), whole)
    assert [len(images) for images, *_ in watch.seen] == [2, 2, 1]
    watch.seen.clear()
    assert torch.equal(SuperResolutionAttack(watch, max_pixels=1)(faces), whole)
    assert len(watch.seen) == 5


def test_the_memory_format_changes_nothing(network):
    attack, faces = SuperResolutionAttack(network), as_faces(photos(2, 24))
    assert torch.equal(attack(faces), attack(faces.contiguous(memory_format=torch.channels_last)))


@pytest.mark.parametrize(
    ("precision", "fast", "convention", "expected"),
    [
        ("auto", torch.bfloat16, "rgb", torch.bfloat16),
        ("auto", torch.float32, "rgb", None),
        ("auto", torch.bfloat16, "authors_code", None),
        ("float32", torch.bfloat16, "rgb", None),
        ("bf16", torch.float32, "rgb", torch.bfloat16),
        ("fp16", torch.float32, "rgb", torch.float16),
    ],
)
def test_the_networks_precision(monkeypatch, precision, fast, convention, expected):
    monkeypatch.setattr(module, "fast_dtype", lambda device: fast)
    watch = Watch()
    attack = SuperResolutionAttack(watch, precision=precision, convention=convention)
    for outer in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=outer):
            attack(torch.rand(1, 3, 24, 24))
        images, enabled, dtype = watch.seen[-1]
        assert images.dtype == torch.float32
        assert (dtype if enabled else None) == expected


def test_the_control_is_the_same_in_every_precision():
    faces = as_faces(photos(1, 24))
    results = [SuperResolutionAttack(Interpolation(), precision=name)(faces) for name in ("float32", "bf16")]
    assert torch.equal(*results)


@pytest.mark.parametrize(("own", "scale", "passes"), [(2, 2, 1), (2, 3, 2), (2, 4, 2), (2, 8, 3), (3, 2, 1), (4, 2, 1)])
def test_one_network_serves_every_k(own, scale, passes):
    """As by hand: Pillow scales down what the network's passes made too large; at most a level of rounding apart."""
    attack = SuperResolutionAttack(Interpolation(own, "nearest"), scale=scale)
    assert attack.passes == passes
    by = "" if own == scale else f"-by{own}"
    assert (attack.name, attack.network) == (f"nearest-x{scale}{by}", f"nearest{by}")
    assert (attack.kind, attack.strength) == ("nearest", f"x{scale}{by}")
    face = photos(1, 48)[0]
    small = cv2.resize(face, (48 // scale, 48 // scale), interpolation=cv2.INTER_AREA)
    large = small.repeat(own**passes, 0).repeat(own**passes, 1)
    expected = np.asarray(Image.fromarray(large).resize((48, 48), Image.Resampling.BICUBIC)).astype(int)
    attacked = as_pictures(attack(as_faces(face[None])))[0].astype(int)
    assert np.abs(attacked - expected).max() <= 1
    if own**passes == scale:
        assert np.array_equal(attacked, expected)


@pytest.mark.parametrize(
    ("own", "options", "message"),
    [
        (1, {}, r"sr_model\.scale=1"),
        (2, {"scale": 2.5}, r"attack\.scale must be .*not 2\.5"),
        (2, {"scale": 1}, r"attack\.scale must be .*not 1"),
        (2, {"convention": "author_code"}, "authors_code"),
        (2, {"precision": "fp32"}, "float32"),
        (2, {"precision": "bf16", "convention": "authors_code"}, "bf16 does not go with"),
    ],
)
def test_what_is_no_choice_is_named(own, options, message):
    with pytest.raises(UserError, match=message):
        SuperResolutionAttack(Interpolation(own), **options)


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
    theirs_network = torchsr_network(scale)
    torch.save(theirs_network.state_dict(), tmp_path / "edsr64.pt")
    network = edsr(scale=scale, weights=str(tmp_path / "edsr64.pt"))
    generator = np.random.default_rng(scale)
    pictures = [cv2.GaussianBlur(generator.integers(0, 256, (48, 48, 3), dtype=np.uint8), (0, 0), 3) for _ in range(3)]
    pictures = np.stack([cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX) for picture in pictures])
    by_script, in_rgb = (
        as_pictures(SuperResolutionAttack(network, scale, convention, "float32")(as_faces(pictures))).astype(int)
        for convention in ("authors_code", "rgb")
    )
    assert np.abs(by_script - in_rgb).mean() > 1
    for picture, ours in zip(pictures, by_script, strict=True):
        exact, theirs = published_script(theirs_network, picture, scale)
        assert theirs.std() > 5
        np.testing.assert_array_equal(np.abs(ours - theirs) <= 1, True)
        # A level apart only where the exact value lies between two levels.
        between = np.abs(exact[..., ::-1] % 1 - 0.5) < 1e-2
        np.testing.assert_array_equal(ours[~between], theirs[~between])
        assert (~between).mean() > 0.9


SIDE = 120


@pytest.fixture(scope="module")
def faces():
    """8 crops from the middle of people's clips, at their own resolution."""
    crops = []
    for name in identity_table().names[:8]:
        picture = read_identity(name)[0]
        top, left = ((length - SIDE) // 2 for length in picture.shape[:2])
        crops.append(picture[top : top + SIDE, left : left + SIDE])
    return as_faces(np.stack(crops))


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
    one = attacked(faces, precision=precision, max_pixels=1)
    five = attacked(faces, precision=precision, max_pixels=5 * SIDE**2)
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


@pytest.mark.parametrize(
    "backend",
    [
        "eager",  # what is compiled is traced, with sides and batches that are free, and run as it is
        pytest.param(
            "inductor",
            marks=[
                pytest.mark.nightly,
                pytest.mark.slow,
                pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
            ],
        ),
    ],
)
def test_a_compiled_network_gives_the_same_faces(faces, monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch.manual_seed(0)
    network = edsr_network(scale=2, blocks=1, features=8).requires_grad_(False).eval()
    plain, compiled = (SuperResolutionAttack(network, 2, compile=compile) for compile in (False, True))
    for few in (faces[:2], faces[:3, :, :96, :96]):
        assert levels_between(plain(few), compiled(few)).max() <= 1
