import cv2
import numpy as np
import pytest
from photo_faces import as_faces, as_pictures, photos

from sr_deepfake.attacks.compression import JpegAttack, UploadAttack, WebpAttack

SAMPLING = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


@pytest.mark.parametrize("chroma", list(SAMPLING))
@pytest.mark.parametrize("quality", [1, 7, 35, 75, 100])
@pytest.mark.parametrize(("height", "width"), [(48, 48), (33, 50)])
def test_it_is_opencvs_jpeg_to_the_bit(quality, chroma, height, width):
    pictures = photos(2, height, width)
    attacked = as_pictures(JpegAttack(quality, chroma)(as_faces(pictures)))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[chroma]]
    for picture, result in zip(pictures, attacked, strict=True):
        _, file = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
        np.testing.assert_array_equal(result, cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.mark.parametrize("quality", [1, 25, 75, 100])
@pytest.mark.parametrize(("height", "width"), [(48, 48), (33, 50)])
def test_webp_is_opencvs(quality, height, width):
    """OpenCV brings a libwebp of its own, and takes 1 to 100; both decoders are exact, colours are rounded."""
    pictures = photos(2, height, width)
    attacked = as_pictures(WebpAttack(quality)(as_faces(pictures)))
    for picture, result in zip(pictures, attacked, strict=True):
        _, file = cv2.imencode(".webp", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, quality])
        np.testing.assert_array_equal(result, cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.mark.parametrize(("factor", "quality", "side"), [(1.5, 75, 96), (2, 40, 97), (3.3, 95, 50)])
def test_an_upload_is_shrunk_saved_and_enlarged(factor, quality, side):
    picture = photos(1, side)
    attacked = as_pictures(UploadAttack(factor, quality)(as_faces(picture)))[0]
    kept = cv2.resize(picture[0], (round(side / factor),) * 2, interpolation=cv2.INTER_AREA)
    _, file = cv2.imencode(".jpg", np.ascontiguousarray(kept[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    saved = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    expected = cv2.resize(np.ascontiguousarray(saved), (side, side), interpolation=cv2.INTER_CUBIC)
    # OpenCV's own bicubic of 8-bit pictures computes in whole numbers.
    assert np.abs(attacked.astype(int) - expected.astype(int)).max() <= 1
