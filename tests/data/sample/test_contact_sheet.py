import cv2
import numpy as np

from sr_deepfake.data.sample import contact_sheet as sheet
from sr_deepfake.data.sample.people import draw_pairs


def test_one_row_a_pair_and_seven_columns_of_pictures_in_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sheet, "draw_pairs", lambda: {"test": draw_pairs()["val"][:1]})
    path = tmp_path / "docs" / "sheet.jpg"
    sheet.main(path)
    assert capsys.readouterr().out.strip() == str(path)
    image = cv2.imread(str(path)).astype(float)
    assert image.shape == (sheet.MARGIN + sheet.TILE, sheet.MARGIN + 7 * sheet.TILE, 3)
    tiles = np.split(image[sheet.MARGIN :, sheet.MARGIN :], 7, axis=1)
    distances = [np.abs(tile - tiles[1]).mean() for tile in tiles]
    assert all(distance > 0.3 for k, distance in enumerate(distances) if k != 1)
    assert all(distance < distances[0] for distance in distances[1:])  # forgeries are nearer than the source
