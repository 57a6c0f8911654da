import json
import threading
import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored_detector import stored_detector

from sr_deepfake.detectors.external.python import PythonDetector
from sr_deepfake.detectors.registry import (
    Recipe,
    claim,
    find_detectors,
    finish,
    forget,
    interrupted,
    is_finished,
    load_detector,
    read_recipe,
    register,
    weights_of,
)
from sr_deepfake.system.errors import UserError

TRAINING = {"model": {"backbone": "resnet50"}, "seed": 0, "trainer": {"precision": "32-true"}}
RECIPE = Recipe("resnet50", "FaceSwap", {"name": "quick"}, TRAINING)


@pytest.mark.parametrize(
    "change",
    [
        {"forgery": "Deepfakes"},
        {"training": {**TRAINING, "seed": 1}},
        {"training": {**TRAINING, "trainer": {"precision": "bf16-mixed"}}},
        {"training": {**TRAINING, "trainer": {"precision": "32-true", "gradient_clip_val": 1}}},
    ],
)
def test_whatever_changes_training_changes_the_fingerprint(change):
    assert replace(RECIPE, **change).fingerprint != RECIPE.fingerprint


def test_names_alone_do_not():
    assert replace(RECIPE, model="mine", protocol={"name": "mine"}).fingerprint == RECIPE.fingerprint


@given(st.text(min_size=1))
def test_any_model_name_makes_one_folder_below_the_registry(name):
    folder = replace(RECIPE, model=name).name
    assert "/" not in folder
    assert folder not in ("", ".", "..")
    assert folder.isascii()


def test_a_claim_keeps_others_waiting(tmp_path):
    order, folder = [], tmp_path / RECIPE.name

    def second():
        with claim(folder, RECIPE):
            order.append("second")

    with claim(folder, RECIPE):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert read_recipe(folder) == RECIPE


def test_other_recipes_do_not_wait(tmp_path):
    other = replace(RECIPE, training={**TRAINING, "seed": 1})
    with claim(tmp_path / RECIPE.name, RECIPE), claim(tmp_path / other.name, other):
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_an_unfinished_detector_is_not_loaded(tmp_path):
    folder = tmp_path / RECIPE.name
    with claim(folder, RECIPE):
        assert not is_finished(folder)
        assert interrupted(folder) is None
        with pytest.raises(UserError, match="not finished"):
            load_detector(folder)
        with pytest.raises(UserError, match="kept no epoch"):
            finish(folder)


def test_a_folder_without_a_detector_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"sr_deepfake\.train"):
        load_detector(tmp_path)
    with pytest.raises(UserError, match=r"sr_deepfake\.train"):
        find_detectors([str(tmp_path / "*")])


def test_a_detector_is_loaded_with_its_weights_whose_hash_tells_others_apart(tmp_path):
    one, other = (stored_detector(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    detector = load_detector(one)
    assert not detector.training
    stored = torch.load(one / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in detector.state_dict().items())
    assert weights_of(one) != weights_of(other)
    assert weights_of(one) == weights_of(stored_detector(tmp_path / "again", seed=0))


def test_a_training_is_forgotten_once_for_each_command(tmp_path):
    folder = stored_detector(tmp_path)
    forget(folder, "sweep 1")
    assert not is_finished(folder)
    again = stored_detector(tmp_path)
    assert again == folder
    forget(folder, "sweep 1")  # another job of the same sweep
    assert is_finished(folder)
    forget(folder, "sweep 2")
    assert not is_finished(folder)


def test_detectors_are_found_by_name_and_by_pattern(tmp_path):
    folder = stored_detector(tmp_path)
    assert find_detectors([str(folder)]) == find_detectors([str(tmp_path / "*-FaceSwap-*")]) == [folder]
    strange = folder.rename(tmp_path / "a [1]")
    assert find_detectors([str(strange)]) == [strange]


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    folder = stored_detector(tmp_path)
    content = torch.load(folder / "best.ckpt", weights_only=True)
    torch.save(content | {"extra": threading.Thread}, folder / "best.ckpt")
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        load_detector(folder)
    assert json.loads((folder / "finished.json").read_text())


def test_a_detector_from_elsewhere_whose_reading_has_changed_is_refused(tmp_path):
    (tmp_path / "own.py").write_text("def detector():\n    return lambda faces: faces.mean(dim=(1, 2, 3))\n")
    options = {"factory": f"{tmp_path / 'own.py'}:detector", "label": "own", "output": "logit"}
    detector = PythonDetector(**options)
    target = "sr_deepfake.detectors.external.python.PythonDetector"
    folder = register(tmp_path / "detectors", detector, {"_target_": target, **options})
    assert load_detector(folder).label == "own"
    settings = json.loads((folder / "elsewhere.json").read_text())
    (folder / "elsewhere.json").write_text(json.dumps(settings | {"range": 255}))
    with pytest.raises(UserError, match="has changed since"):
        load_detector(folder)
    for evil in (
        {"_target_": "os.system"},
        {"_target_": "sr_deepfake.detectors.external.python.load_function"},
        {},
    ):
        (folder / "elsewhere.json").write_text(json.dumps(evil))
        with pytest.raises(UserError, match="does not say what its detector is"):
            load_detector(folder)
