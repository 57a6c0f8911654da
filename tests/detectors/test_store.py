import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.detectors.store import DetectorStore, Recipe, is_finished, load_detector, read_recipe
from sr_deepfake.errors import UserError

RECIPE = Recipe(
    model="resnet50",
    backbone="resnet50",
    weights="random",
    forgery="FaceSwap",
    protocol={"name": "quick", "epochs": 5, "augmentation": {"flip": 0.5}},
    data={"name": "sample", "train": "aa", "val": "bb"},
    seed=0,
    precision="32-true",
)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet18"},
        {"weights": "ImageNet"},
        {"forgery": "Deepfakes"},
        {"protocol": {**RECIPE.protocol, "epochs": 6}},
        {"protocol": {**RECIPE.protocol, "augmentation": {"flip": 0.0}}},
        {"data": {**RECIPE.data, "train": "ab"}},
        {"seed": 1},
        {"precision": "bf16-mixed"},
        {"version": RECIPE.version + 1},
        {"defence": {"name": "sr-edsr-x2", "probability": 0.5, "attack": "ab"}},
    ],
)
def test_whatever_changes_training_changes_the_fingerprint(change):
    assert replace(RECIPE, **change).fingerprint != RECIPE.fingerprint


def test_detectors_of_before_there_were_defences_are_found_still():
    assert RECIPE.fingerprint == "ac8842e6be"  # what the code without defences gave this recipe


@pytest.mark.parametrize("change", [{"probability": 0.25}, {"attack": "cd"}])
def test_defences_are_told_apart(change):
    defence = {"name": "sr-edsr-x2", "probability": 0.5, "attack": "ab"}
    changed = replace(RECIPE, defence=defence | change)
    assert changed.fingerprint != replace(RECIPE, defence=defence).fingerprint


def test_names_alone_do_not():
    renamed = replace(
        RECIPE, model="mine", protocol={**RECIPE.protocol, "name": "mine", "sr_convention": "rgb"}
    )
    assert renamed.fingerprint == RECIPE.fingerprint


@given(st.text(min_size=1))
def test_any_model_name_makes_one_folder_below_the_store(name):
    folder = replace(RECIPE, model=name).name
    assert "/" not in folder
    assert folder not in ("", ".", "..")
    assert folder.isascii()


def test_a_claim_keeps_others_waiting(tmp_path):
    store = DetectorStore(tmp_path)
    order = []

    def second():
        with store.claim(RECIPE):
            order.append("second")

    with store.claim(RECIPE) as folder:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert read_recipe(folder) == RECIPE


def test_other_recipes_do_not_wait(tmp_path):
    store = DetectorStore(tmp_path)
    with store.claim(RECIPE) as one, store.claim(replace(RECIPE, seed=1)) as other:
        assert one != other


def test_an_unfinished_detector_is_not_loaded(tmp_path):
    with DetectorStore(tmp_path).claim(RECIPE) as folder:
        assert not is_finished(folder)
        with pytest.raises(UserError, match="not finished"):
            load_detector(folder)


def test_a_folder_without_a_detector_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"sr_deepfake\.train"):
        load_detector(tmp_path)
