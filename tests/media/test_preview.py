import numpy as np

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.preview import side_by_side


def test_both_versions_stand_side_by_side_with_frames_around_the_faces():
    before, after = np.full((60, 80, 3), 50, np.uint8), np.full((60, 80, 3), 90, np.uint8)
    crop = Crop(20, 24, 24)
    sheet = np.array(side_by_side(before, after, [crop], ([], [])))
    assert sheet.shape == (60, 164, 3)
    for picture, left in ((before, 0), (after, 84)):
        panel = sheet[:, left : left + 80]
        changed = (panel != picture).any(axis=2)
        assert changed[23, 19:45].all()
        assert changed[23:49, 44].all()
        assert not changed[24:48, 20:44].any()
        assert changed.sum() == 4 * 25
    labelled = np.array(side_by_side(before, after, [crop], (["fake 0.91"], ["fake 0.12"])))
    assert (labelled != sheet).any(axis=2)[:24].sum() > 100
    assert not (labelled != sheet)[24:].any()


def test_large_pictures_are_shown_smaller():
    picture = np.zeros((1401, 2801, 3), np.uint8)
    assert side_by_side(picture, picture, [Crop(0, 0, 240)], (["a"], ["b"])).size == (2 * 1280 + 4, 640)


def test_a_label_of_a_face_at_the_edge_stays_inside():
    picture = np.zeros((100, 100, 3), np.uint8)
    sheet = np.array(side_by_side(picture, picture, [Crop(76, 0, 24)], (["fake 1.00"], ["fake 1.00"])))
    assert (sheet[:20, 30:100] != 0).any()
