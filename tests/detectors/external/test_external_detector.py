import pytest
import torch
from exported import faces

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.onnx import open_onnx
from sr_deepfake.detectors.external.opened import Opened
from sr_deepfake.detectors.external.torch_files import open_torch_file
from sr_deepfake.system.errors import UserError


class Fixed(ExternalDetector):
    """Answers with what a test says, and remembers what it got."""

    def __init__(self, answer, batch=None, facts=None, **options):
        self.got = []

        def network(pictures):
            self.got.append(pictures)
            return answer(pictures)

        opened = Opened(network, "0", {"size": 48} | (facts or {}), batch=batch)
        super().__init__(lambda path, size: opened, "a file", "net", **options)


def brightness(pictures):
    return pictures.mean((1, 2, 3))


def test_range_order_and_normalisation_reach_the_network():
    detector = Fixed(brightness, channels="bgr", range=255, mean=[104, 117, 123], std=[1, 2, 4], output="logit")
    detector(faces(2, side=48))
    levels = faces(2, side=48).flip(1) * 255
    mean, std = torch.tensor([104, 117, 123.0]).view(1, 3, 1, 1), torch.tensor([1, 2, 4.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(detector.got[-1], (levels - mean) / std)


def test_a_narrower_margin_is_the_middle_of_the_face():
    detector = Fixed(brightness, output="logit", crop_margin=0.0)
    detector.expect_margin(0.25)
    face = torch.zeros(1, 3, 72, 72)
    face[..., 12:60, 12:60] = 1  # two thirds of the side: the box without its margin
    assert detector(face).item() == 1
    with pytest.raises(UserError, match=r"model\.crop_margin=0\.3.*extraction\.margin=0\.3 data\.crops=FOLDER"):
        Fixed(brightness, crop_margin=0.3).expect_margin(0.1)
    with pytest.raises(UserError, match=r"the margin of these faces is unknown .*Leave the option out"):
        Fixed(brightness, crop_margin=0.1).expect_margin(None)  # aligned faces, or crop=false
    Fixed(brightness).expect_margin(None)


def test_the_margin_that_a_file_expects_is_cut_or_the_command_is_named(caplog):
    detector = Fixed(brightness, facts={"crop_margin": 0.15})
    detector.expect_margin(0.3)
    assert detector.kept == pytest.approx(1.3 / 1.6)
    with pytest.raises(UserError, match=r"extraction\.margin=0\.15 .*model\.crop_margin=0\.1 scores them as they are"):
        detector.expect_margin(0.1)
    detector.expect_margin(None)
    assert "that of these faces is unknown" in caplog.text


def test_a_network_that_takes_four_faces_gets_four():
    detector = Fixed(brightness, batch=4, output="logit")
    expected = Fixed(brightness, output="logit")(faces(6))
    torch.testing.assert_close(detector(faces(6)), expected)
    assert {len(pictures) for pictures in detector.got} == {4}


def test_a_network_whose_batch_is_said_to_be_free_and_is_one_gets_one_face_at_a_time():
    detector = Fixed(lambda pictures: pictures.view(1, -1).mean(1), output="logit")
    assert "one face at a time" in detector.note
    torch.testing.assert_close(detector(faces(side=48)), faces(side=48).mean((1, 2, 3)).double())


def test_probabilities_of_zero_and_one_are_scores():
    detector = Fixed(lambda pictures: (pictures.mean((1, 2, 3)) > 0.5).float(), output="probability")
    light, dark = torch.ones(1, 3, 48, 48), torch.zeros(1, 3, 48, 48)
    assert detector.score(torch.cat([light, dark])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "output", "message"),
    [
        (lambda x: brightness(x) * 90 - 40, "probability", r"outside \[0, 1\].*model\.output=logit"),
        (brightness, "logits2", "needs 2 number"),
        (lambda x: torch.stack([brightness(x)] * 2, 1), "logit", "needs 1 number"),
    ],
)
def test_an_output_of_another_kind_than_was_said_is_refused(answer, output, message):
    detector = Fixed(answer, output=output)
    with pytest.raises(UserError, match=message):
        detector(faces())


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0}, {"size": "x"}, {"range": 3}, {"fake_index": 2}, {"mean": [1, 2]}, {"std": [1, 0, 1]},
        {"channels": "grey"}, {"output": "score"}, {"mean": ["a", 1, 2]}, {"crop_margin": -1},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_named(options):
    (name,) = options
    with pytest.raises(UserError, match=rf"model\.{name}"):
        Fixed(brightness, **options)


@pytest.mark.parametrize(
    ("opener", "path", "message"),
    [
        (open_onnx, None, r"model\.path is missing"),
        (open_onnx, "nowhere.onnx", r"model\.path=nowhere\.onnx is missing"),
        (open_torch_file, ".", "is a folder, not a file"),
    ],
)
def test_a_missing_file_is_named(opener, path, message):
    with pytest.raises(UserError, match=message):
        ExternalDetector(opener, path, "net")


def test_scores_are_float64_and_differ_where_float32_would_be_one():
    detector = Fixed(lambda pictures: 20 + pictures.mean((1, 2, 3)) * 10, output="logit")
    assert len(set(detector.score(faces()).tolist())) == 7


def test_whatever_a_strangers_network_raises_is_one_line():
    def picky(pictures):
        assert pictures.shape[-1] == 224, "Input height (48) doesn't match model (224)"
        return brightness(pictures)

    with pytest.raises(UserError, match=r"does not take faces of 16×3×48×48 \(Input height .*model\.size"):
        Fixed(picky)
