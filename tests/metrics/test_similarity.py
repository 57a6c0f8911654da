import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sr_deepfake.metrics.similarity import psnr, psnr_wrapped, ssim


def as_faces(pictures):
    """uint8 B×H×W×3 → float32 B×3×H×W in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255


def pairs():
    random = np.random.default_rng(0)
    smooth = np.clip(np.cumsum(random.normal(0, 3, (4, 48, 48, 3)), axis=1) + 128, 0, 255).astype(np.uint8)
    close = np.clip(smooth + random.integers(-4, 5, smooth.shape), 0, 255).astype(np.uint8)
    noise = random.integers(0, 256, smooth.shape, dtype=np.uint8)
    black, white = np.zeros_like(smooth), np.full_like(smooth, 255)
    yield from (
        pytest.param(smooth, close, id="close"),
        pytest.param(smooth, noise, id="noise"),
        pytest.param(black, white, id="black and white"),
        pytest.param(white, close, id="white and close"),
        pytest.param(black, black, id="black twice"),
        pytest.param(noise, noise, id="noise twice"),
        pytest.param(smooth, 255 - smooth, id="negative"),
        pytest.param(noise[:, :7, :7], smooth[:, :7, :7], id="one window"),
        pytest.param(noise[:, :24, :31], smooth[:, :24, :31], id="not square"),
    )


def colour_ssim(first, second):
    return structural_similarity(first, second, channel_axis=2)


def published_psnr(original, edited):
    """The published script's arithmetic, on uint8 arrays."""
    error = np.mean((original - edited) ** 2)
    return 100 if error == 0 else 20 * np.log10(255.0 / np.sqrt(error))


@pytest.mark.parametrize(("first", "second"), pairs())
@pytest.mark.parametrize(
    ("measure", "reference", "atol"),
    [(ssim, colour_ssim, 1e-6), (psnr, peak_signal_noise_ratio, 1e-9), (psnr_wrapped, published_psnr, 1e-9)],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_measures_agree_with_scikit_image_and_the_published_script(first, second, measure, reference, atol):
    ours = measure(as_faces(first), as_faces(second))
    theirs = [reference(a, b) for a, b in zip(first, second, strict=True)]
    assert ours.dtype == torch.float64
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)
    np.testing.assert_allclose(measure(as_faces(first[:1]), as_faces(second[:1])), ours[:1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", [ssim, psnr, psnr_wrapped])
def test_shapes_that_differ_are_refused(measure):
    grey, wide = torch.zeros(1, 1, 24, 24), torch.zeros(1, 3, 24, 48)
    for first, second in ((wide[..., :24], wide), (grey, grey)):
        with pytest.raises(ValueError, match="one shape"):
            measure(first, second)


def test_ssim_of_faces_below_the_window_is_refused():
    with pytest.raises(ValueError, match="7 px"):
        ssim(torch.zeros(1, 3, 6, 24), torch.zeros(1, 3, 6, 24))
