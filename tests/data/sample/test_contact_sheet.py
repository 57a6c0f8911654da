import cv2
import numpy as np

from sr_deepfake.data.sample import contact_sheet as sheet
from sr_deepfake.data.sample.people import draw_pairs


def test_one_row_a_pair_and_seven_columns_of_pictures():
    image = sheet.contact_sheet(draw_pairs()["val"][:1])
    assert image.shape == (sheet.MARGIN + sheet.TILE, sheet.MARGIN + 7 * sheet.TILE, 3)
    tiles = [
        image[sheet.MARGIN :, sheet.MARGIN + k * sheet.TILE : sheet.MARGIN + (k + 1) * sheet.TILE] for k in range(7)
    ]
    target = tiles[1].astype(float)
    distances = [np.abs(tile - target).mean() for tile in tiles]
    assert all(distance > 0.3 for k, distance in enumerate(distances) if k != 1)
    assert all(distance < distances[0] for distance in distances[1:])  # forgeries are nearer than the source


def test_writes_an_image_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sheet, "draw_pairs", lambda: {"test": draw_pairs()["test"][:1]})
    path = tmp_path / "docs" / "sheet.jpg"
    sheet.main(path)
    assert cv2.imread(str(path)).shape[0] == sheet.MARGIN + sheet.TILE
    assert capsys.readouterr().out.strip() == str(path)
