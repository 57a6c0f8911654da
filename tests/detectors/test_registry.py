import json
import threading
import time

import pytest
import torch
from exported import ours, scores
from hypothesis import given
from hypothesis import strategies as st
from stored_detector import stored_detector

from sr_deepfake.detectors import registry
from sr_deepfake.detectors.external.checkpoint import open_checkpoint
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.python import open_python
from sr_deepfake.detectors.recipe import Recipe
from sr_deepfake.detectors.registry import (
    claim,
    discard_training,
    find_detectors,
    finish,
    interrupted,
    is_finished,
    load_detector,
    read_recipe,
    register,
    weights_of,
)
from sr_deepfake.system.errors import UserError

TRAINING = {"model": {"backbone": "resnet50"}, "seeds": [0, 0], "trainer": {"precision": "32-true"}}
RECIPE = Recipe(model="resnet50", forgery="FaceSwap", protocol={"name": "quick"}, training=TRAINING)


def changed(**values):
    return RECIPE.model_copy(update=values)


@pytest.mark.parametrize(
    "change",
    [
        {"forgery": "Deepfakes"},
        {"training": {**TRAINING, "seeds": [1, 1]}},
        {"training": {**TRAINING, "trainer": {"precision": "bf16-mixed"}}},
        {"training": {**TRAINING, "trainer": {"precision": "32-true", "gradient_clip_val": 1}}},
    ],
)
def test_whatever_changes_training_changes_the_key(change):
    other = changed(**change)
    assert other.key != RECIPE.key
    another_seed = change.get("training", TRAINING)["seeds"] != [0, 0]
    assert (other.seedless_key == RECIPE.seedless_key) == another_seed


@given(st.text(min_size=1))
def test_names_alone_do_not_and_any_makes_one_folder_below_the_registry(name):
    other = changed(model=name, protocol={"name": name})
    assert other.key == RECIPE.key
    assert "/" not in other.name
    assert other.name not in ("", ".", "..")
    assert other.name.isascii()


def test_a_claim_keeps_others_waiting(tmp_path):
    order, folder = [], tmp_path / RECIPE.name

    def second():
        with claim(folder, RECIPE):
            order.append("second")

    with claim(folder, RECIPE), claim(tmp_path / changed(forgery="Deepfakes").name, RECIPE):  # another is free
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert read_recipe(folder) == RECIPE


def test_an_unfinished_detector_is_not_loaded(tmp_path):
    folder = tmp_path / RECIPE.name
    with claim(folder, RECIPE):
        assert not is_finished(folder)
        assert interrupted(folder) is None
        with pytest.raises(UserError, match="not finished"):
            load_detector(folder)
        with pytest.raises(UserError, match="kept no epoch"):
            finish(folder)


def test_a_training_that_diverged_is_not_finished(tmp_path):
    folder = stored_detector(tmp_path)
    (folder / "finished.json").unlink()
    content = torch.load(folder / "best.ckpt", weights_only=True)
    next(iter(content["state_dict"].values())).fill_(float("nan"))
    torch.save(content, folder / "best.ckpt")
    with pytest.raises(UserError, match=r"diverged.*protocol\.optimizer\.lr"):
        finish(folder)
    assert not is_finished(folder)


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


def test_a_training_is_discarded_once_for_each_command(tmp_path):
    folder = stored_detector(tmp_path)
    discard_training(folder, "sweep 1")
    assert not is_finished(folder)
    again = stored_detector(tmp_path)
    assert again == folder
    discard_training(folder, "sweep 1")  # another job of the same sweep
    assert is_finished(folder)
    discard_training(folder, "sweep 2")
    assert not is_finished(folder)


def test_detectors_are_found_by_name_and_by_pattern(tmp_path, caplog):
    folder = stored_detector(tmp_path)
    assert find_detectors([str(folder)]) == find_detectors([str(tmp_path / "*-FaceSwap-*")]) == [folder]
    with claim(tmp_path / RECIPE.name, RECIPE):  # not finished yet
        assert find_detectors([str(tmp_path / "*")]) == [folder]
    assert "Skipped: the training in" in caplog.text
    strange = folder.rename(tmp_path / "a [1]")
    assert find_detectors([str(strange)]) == [strange]


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    folder = stored_detector(tmp_path)
    content = torch.load(folder / "best.ckpt", weights_only=True)
    torch.save(content | {"extra": threading.Thread}, folder / "best.ckpt")
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        load_detector(folder)


@pytest.fixture
def external(tmp_path):
    """A registered function of a file."""
    (tmp_path / "own.py").write_text("def detector():\n    return lambda faces: faces.mean(dim=(1, 2, 3))\n")
    name = f"{tmp_path / 'own.py'}:detector"
    return registered(open_python, tmp_path, path=name, factory=name, output="logit")


def registered(opener, tmp_path, **options):
    """The folder of an external detector, with the settings that are kept of it."""
    options |= {"label": "own"}
    kept = {
        "_target_": "…",
        "open": {"_target_": f"{opener.__module__}.{opener.__name__}", "_partial_": True},
        **options,
    }
    return register(tmp_path / "detectors", ExternalDetector(opener, **options), kept)


def test_code_that_only_a_folder_names_is_not_run(external, tmp_path, monkeypatch):
    assert load_detector(external).label == "own"  # it was typed in this process
    monkeypatch.setattr(registry, "_opened", {})
    (tmp_path / "own.py").write_text("open(__file__ + '.run', 'w')\n")
    with pytest.raises(UserError, match=r"names code .*model=python model\.factory=.*own\.py:detector"):
        load_detector(external)
    assert not (tmp_path / "own.py.run").exists()
    settings = json.loads((external / "external.json").read_text()) | {"factory": None}
    for option, kind in (("trust", r"torchscript model\.trust=true"), ("repo", r"deepfakebench model\.repo=CLONE")):
        (external / "external.json").write_text(json.dumps(settings | {option: "true"}))
        with pytest.raises(UserError, match=f"names code .*model={kind}"):
            load_detector(external)


def test_what_a_folder_opens_is_one_of_ours(external, monkeypatch):
    monkeypatch.setattr(registry, "_opened", {})
    module = "sr_deepfake.detectors"
    targets = ("os.system", f"{module}.external.python.load_function", f"{module}.Detector")
    kept = [{"open": {"_target_": target}, "path": "x", "label": "x"} for target in targets]
    for content in ({}, *kept):
        (external / "external.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match="does not say what its detector is"):
            load_detector(external)


def test_a_file_that_has_changed_is_refused(tmp_path, monkeypatch):
    torch.save(ours().backbone.state_dict(), tmp_path / "net.pth")
    path = str(tmp_path / "net.pth")
    folder = registered(open_checkpoint, tmp_path, path=path, backbone="test_resnet", size=48)
    monkeypatch.setattr(registry, "_opened", {})
    torch.testing.assert_close(scores(load_detector(folder)), scores(ours()))
    torch.save({name: 2 * tensor for name, tensor in ours().backbone.state_dict().items()}, tmp_path / "net.pth")
    with pytest.raises(UserError, match="has changed since"):
        load_detector(folder)
