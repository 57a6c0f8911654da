from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sr_deepfake.super_resolution.training import photos as photos_module
from sr_deepfake.super_resolution.training.photos import (
    Patches,
    PatchSettings,
    ValidationPhotos,
    bicubic_enlarged,
    centre_crop,
    find_photos,
    low_resolution,
    read_photo,
)
from sr_deepfake.system.errors import UserError


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def antialiased_bicubic(picture, scale):
    """Keys' kernel (a = -0.5), stretched by the scale; a plain loop over rows, in float64."""

    def kernel(x):
        x = abs(x)
        if x < 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    def along(values):
        rows = []
        for target in range(values.shape[0] // scale):
            centre = (target + 0.5) * scale
            weights = np.array([kernel((row + 0.5 - centre) / scale) for row in range(values.shape[0])])
            rows.append(np.tensordot(weights / weights.sum(), values, axes=1))
        return np.stack(rows)

    return along(along(picture.astype(np.float64)).swapaxes(0, 1)).swapaxes(0, 1)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_low_resolution_is_antialiased_bicubic(scale):
    picture = noise(24, 36)
    expected = antialiased_bicubic(picture, scale).clip(0, 255)
    assert (
        np.abs(low_resolution(picture, scale) - expected).max() <= 1
    )  # it rounds after each of the two passes


def test_photos_are_found_below_each_folder_in_order(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first / "z.PNG", first / "deep" / "x.jpg", second / "y.webp"):
        save(path, noise(8, 8))
    (first / "notes.txt").write_text("no photo")
    found = find_photos([first, second], "photos")
    assert [[path.name for path in group] for group in found] == [["x.jpg", "z.PNG"], ["y.webp"]]


def test_missing_and_empty_folders_are_named_with_the_option(tmp_path):
    with pytest.raises(UserError, match=r"photos: there is no folder .*nowhere"):
        find_photos([tmp_path / "nowhere"], "photos")
    with pytest.raises(UserError, match=r"validation: no photo .* is in the folder"):
        find_photos([tmp_path], "validation")


def test_a_photo_is_read_upright_as_rgb_and_not_too_large(tmp_path):
    grey = Image.fromarray(noise(20, 40)[:, :, 0])
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    grey.save(tmp_path / "turned.png", exif=exif)
    assert read_photo(tmp_path / "turned.png").shape == (40, 20, 3)
    assert read_photo(tmp_path / "turned.png", max_side=10).shape == (10, 5, 3)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"the photo .*broken\.png cannot be used"):
        read_photo(path)


@given(st.integers(4, 40), st.integers(4, 40), st.sampled_from([2, 3, 4]))
def test_the_middle_is_the_middle(height, width, scale):
    crop = centre_crop(noise(height, width), 16, scale)
    assert crop.shape[0] % scale == 0
    assert crop.shape[1] % scale == 0
    assert crop.shape[0] == min(height, 16) // scale * scale
    top, left = (height - crop.shape[0]) // 2, (width - crop.shape[1]) // 2
    np.testing.assert_array_equal(crop[0], noise(height, width)[top, left : left + crop.shape[1]])


@pytest.fixture
def patches(tmp_path):
    groups = [
        [save(tmp_path / f"{group}{index}.png", noise(64, 80, seed=10 * group + index)) for index in range(3)]
        for group in range(2)
    ]

    def make(seed=0, **options):
        return Patches(groups, PatchSettings(patch=8, sizes=(1.0, 0.5), **options), seed)

    return make


def test_a_patch_depends_on_seed_and_key_alone(patches):
    one, other = patches(), patches(memory=0.0)  # the second keeps nothing and reads each photo anew
    backwards = [other[key] for key in reversed(range(20))][::-1]
    for key in range(20):
        for first, second in zip(one[key], backwards[key], strict=True):
            assert torch.equal(first, second)
    assert not all(torch.equal(one[key][0], one[key + 1][0]) for key in range(5))
    assert not torch.equal(patches(seed=1)[0][0], one[0][0])


def test_the_small_patch_is_the_large_one_scaled_down(tmp_path):
    # On a smooth picture what lies outside the patch hardly matters, so a patch can be scaled down by itself.
    rows, columns = np.mgrid[0:96, 0:96]
    smooth = np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)
    path = save(tmp_path / "smooth.png", smooth)
    data = Patches([[path]], PatchSettings(scale=2, patch=12, sizes=(1.0,), detail=1))
    for key in range(16):  # all of the eight orientations are among them
        small, large = (patch.permute(1, 2, 0).numpy() for patch in data[key])
        assert small.shape == (12, 12, 3)
        assert large.shape == (24, 24, 3)
        difference = low_resolution(np.ascontiguousarray(large), 2).astype(int) - small
        assert np.abs(difference)[2:-2, 2:-2].max() <= 1


def test_patches_come_in_all_eight_orientations(tmp_path):
    corner = np.zeros((16, 16, 3), np.uint8)
    corner[:4, :8] = 200  # no symmetry
    path = save(tmp_path / "corner.png", corner)
    data = Patches([[path]], PatchSettings(patch=8, sizes=(1.0,)))
    assert len({data[key][1].numpy().tobytes() for key in range(80)}) == 8


def test_detail_is_preferred(tmp_path):
    half = np.full((64, 64, 3), 90, np.uint8)
    half[:, 32:] = noise(64, 32)
    path = save(tmp_path / "half.png", half)

    def mean_detail(detail):
        data = Patches([[path]], PatchSettings(patch=8, sizes=(1.0,), detail=detail))
        return float(np.mean([data[key][0].float().std() for key in range(60)]))

    assert mean_detail(4) > mean_detail(1) * 1.3


def test_a_photo_smaller_than_a_patch_is_named(tmp_path):
    path = save(tmp_path / "tiny.png", noise(20, 90))
    with pytest.raises(UserError, match=r"tiny\.png is 90×20 px; patches of 48 px .* patches\.patch"):
        Patches([[path]], PatchSettings())[0]


def test_validation_is_the_middle_its_low_resolution_and_bicubic(tmp_path):
    picture = noise(70, 50)
    path = save(tmp_path / "one.png", picture)
    item = ValidationPhotos([path], scale=3, side=32)[0]
    large = centre_crop(picture, 32, 3)
    assert item["name"] == "one.png"
    for name, expected in (
        ("large", large),
        ("small", low_resolution(large, 3)),
        ("bicubic", bicubic_enlarged(low_resolution(large, 3), 3)),
    ):
        np.testing.assert_array_equal(item[name].permute(1, 2, 0).numpy(), expected)
    with pytest.raises(UserError, match=r"small\.png is too small to validate with"):
        ValidationPhotos([save(tmp_path / "small.png", noise(2, 9))], scale=3)[0]


def test_the_memory_is_shared_by_the_processes_that_load(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{index}.png", noise(64, 64)) for index in range(20)]
    settings = PatchSettings(patch=8, sizes=(1.0,), memory=10 * 64 * 64 * 3 * 1.25 / 2**30)

    def kept(workers):
        monkeypatch.setattr(
            photos_module, "get_worker_info", lambda: workers and SimpleNamespace(num_workers=workers)
        )
        data = Patches([paths], settings)
        for key in range(200):
            data[key]
        return len(data._kept)

    assert kept(None) == 10
    assert kept(5) == 2
