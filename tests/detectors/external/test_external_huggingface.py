import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exported import faces

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.huggingface import _input, fake_label, open_huggingface
from sr_deepfake.system.errors import UserError

transformers = pytest.importorskip("transformers")
LABELS = {0: "Real", 1: "Deepfake"}


def detector_of(path, **options):
    return ExternalDetector(open_huggingface, path, "net", **options)


def saved(folder, labels=LABELS, **preprocessor):
    """A tiny classifier, as save_pretrained leaves it."""
    torch.manual_seed(1)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=16, intermediate_size=16, image_size=64,
        num_labels=len(labels), id2label=labels, label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.mul_(30)
    model.save_pretrained(folder)
    facts = {"size": {"height": 64, "width": 64}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts | preprocessor))
    return model.eval(), str(folder)


def logits_of(model, resized):
    levels = (resized * 255).round().clamp(0, 255) / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]))
    with torch.no_grad():
        return model(pixel_values=(levels - mean) / std).logits.double()


@pytest.mark.parametrize(("labels", "fake"), [(LABELS, 1), ({0: "ai_generated", 1: "human"}, 0)])
def test_size_normalisation_and_labels_come_from_the_folder(tmp_path, labels, fake):
    model, folder = saved(tmp_path, labels)
    detector = detector_of(folder)
    assert detector.report["fake_index"].startswith(str(fake))
    assert detector.report["size"].startswith("64 (its processor")
    resized = torch.nn.functional.interpolate(faces(), size=(64, 64), mode="bilinear", antialias=True)
    expected = logits_of(model, resized).softmax(1)[:, fake]
    with torch.no_grad():
        torch.testing.assert_close(detector.score(faces()), expected, atol=1e-4, rtol=0)


def test_unclear_labels_are_listed_and_can_be_given(tmp_path):
    _, folder = saved(tmp_path, {0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(UserError, match=r"0: 'LABEL_0', 1: 'LABEL_1'.*model\.fake_index"):
        detector_of(folder)
    assert detector_of(folder, fake_index=0).fake_index == 0
    _, folder = saved(tmp_path, {number: f"emotion {number}" for number in range(7)})
    with pytest.raises(UserError, match=r"7 classes \(0: 'emotion 0', "):
        detector_of(folder)


def test_nothing_is_fetched_without_being_asked_for(monkeypatch):
    import huggingface_hub

    asked = []

    def offline(name, local_files_only, **options):
        asked.append(local_files_only)
        raise OSError("not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"not in the hub's cache; model\.download=true fetches it"):
        detector_of("owner/name")
    with pytest.raises(UserError, match=r"cannot be fetched \(not here\)"):
        detector_of("owner/name", download=True)
    assert asked == [True, False]


@pytest.mark.parametrize(
    "evil",
    [
        {"auto_map": {"AutoConfig": "evil.Config"}},
        {"attn_implementation": "evil/kernel"},
        {"text_config": {"_attn_implementation": "evil/kernel"}},
    ],
)
def test_a_model_that_is_code_is_not_run(tmp_path, evil):
    _, folder = saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | evil))
    with pytest.raises(UserError, match="names code of its own, which is not run"):
        detector_of(folder)


@pytest.mark.parametrize(
    ("preprocessor", "facts"),
    [
        ({"size": 64, "do_rescale": False}, {"range": "255", "size": "64"}),
        ({"do_flip_channel_order": True}, {"channels": "bgr (its processor"}),
        ({"do_normalize": False}, {"mean": "[0, 0, 0] (assumed)"}),
        # x · 2 − 1 in one step, as some processors have it
        (
            {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
            {"mean": "[0.5, 0.5, 0.5]", "std": "[0.5, 0.5, 0.5]"},
        ),
        ({"image_mean": 0.5, "image_std": 0.25}, {"mean": "[0.5, 0.5, 0.5]", "std": "[0.25, 0.25, 0.25]"}),
    ],
)  # fmt: skip
def test_forms_of_the_preprocessors_file(tmp_path, preprocessor, facts):
    _, folder = saved(tmp_path, **preprocessor)
    detector = detector_of(folder)
    for name, value in facts.items():
        assert detector.report[name].startswith(value)


@pytest.mark.parametrize(
    ("processor", "crop"),
    [
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875}, "0.875"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "crop_pct": 0.875}, None),
        (
            {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 64}, "do_center_crop": True,
             "crop_size": {"height": 64, "width": 64}}, "0.875",
        ),
    ],
    ids=["convnext 224", "convnext 384", "levit"],
)  # fmt: skip
def test_the_crop_is_that_of_transformers(processor, crop, tmp_path):
    _, folder = saved(tmp_path, **processor)
    facts, _ = _input(Path(folder), {})
    assert str(facts.get("crop")) == str(crop)
    whole = getattr(transformers, processor["image_processor_type"])(
        **{k: v for k, v in processor.items() if k != "image_processor_type"}, do_normalize=False
    )
    picture = np.zeros((500, 500, 3), np.uint8)
    picture[240:260, 240:260] = 255  # its size in the result tells what was cut
    found = np.asarray(whole(picture, return_tensors="np")["pixel_values"])[0, 0]
    expected = 20 * found.shape[0] / 500 / float(crop or 1)
    assert (found[found.shape[0] // 2] > 0.5).sum() == pytest.approx(expected, abs=1.1)


def test_weights_that_do_not_fit_are_refused_or_named(tmp_path):
    model, folder = saved(tmp_path)
    expected = detector_of(folder)(faces())
    half = model.half()
    half.save_pretrained(folder)
    torch.testing.assert_close(detector_of(folder)(faces()), expected, atol=0.05, rtol=0)
    state = half.state_dict()
    half.save_pretrained(folder, state_dict=state | {"more.weight": torch.zeros(2)})
    assert "does not use all of its weights: not more.weight" in detector_of(folder).note
    half.save_pretrained(folder, state_dict={name: state[name] for name in state if "classifier" not in name})
    with pytest.raises(UserError, match=r"its config\.json: no classifier\.bias, classifier\.weight\Z"):
        detector_of(folder)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="holds no image classifier"):
        detector_of(folder)
    file.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match="a pointer of Git LFS"):
        detector_of(folder)
    file.unlink()
    torch.save({"classifier.weight": object()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="hold code, which is not run"):
        detector_of(folder)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        detector_of(str(tmp_path))
    with pytest.raises(UserError, match="neither a folder nor a name on the hub"):
        detector_of("not/there/at/all")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds no image classifier"):
        detector_of(str(tmp_path))


def test_the_middle_of_the_resized_face_is_what_the_network_gets(tmp_path):
    model, folder = saved(
        tmp_path, size={"shortest_edge": 80}, do_center_crop=True, crop_size={"height": 64, "width": 64}, resample=3
    )
    resized = torch.nn.functional.interpolate(faces(), size=(80, 80), mode="bicubic", antialias=True)
    wanted = logits_of(model, resized[..., 8:72, 8:72]).diff(dim=1)[:, 0]
    torch.testing.assert_close(detector_of(folder)(faces()), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("labels", [("Artificial", "Deepfake", "Real"), ("real", "fake_a", "ai", "gan")])
def test_of_several_classes_one_of_real_faces_stands_against_the_others(tmp_path, labels):
    model, folder = saved(tmp_path, dict(enumerate(labels)))
    detector = detector_of(folder)
    real = [name.lower() for name in labels].index("real")
    with torch.no_grad():
        logits = model(pixel_values=detector.face_input(faces())).logits
    torch.testing.assert_close(detector.score(faces()), 1 - logits.double().softmax(1)[:, real], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("label", "fake_index"), [("real", 0), ("fake", 1), ("LABEL_0", 1)])
def test_one_logit_is_of_what_its_label_says(tmp_path, label, fake_index):
    _, folder = saved(tmp_path, {0: label})
    assert detector_of(folder).fake_index == fake_index


def test_what_of_a_folder_cannot_be_followed_is_said(tmp_path):
    _, folder = saved(tmp_path, resample=1)
    assert detector_of(folder).note == "a model whose faces were resized by lanczos: bilinear is used"
    _, folder = saved(tmp_path, image_mean=None)
    assert "processor's file says no mean" in detector_of(folder).note
    _, folder = saved(tmp_path, image_std=[0, 0, 0])
    with pytest.raises(UserError, match=r"model\.std must be > 0"):
        detector_of(folder)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": {1: "real", 2: "fake"}}))
    with pytest.raises(UserError, match=r"numbers the classes \[1, 2\], not from 0 on"):
        detector_of(folder)


def test_where_the_processor_s_facts_are(tmp_path):
    """transformers 5 has one file for all processors; timm's folders have them in config.json; or there are none."""
    _, folder = saved(tmp_path)
    content = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").unlink()
    assert "mean 0 and standard deviation 1 are assumed" in detector_of(folder).note
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": content}))
    assert detector_of(folder).report["mean"] == "[0.4, 0.5, 0.6] (its processor, id2label)"
    (tmp_path / "processor_config.json").unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    own = {"input_size": [3, 64, 64], "mean": [0.1] * 3, "std": [0.2] * 3, "crop_pct": 0.8, "interpolation": "bicubic"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"pretrained_cfg": own}))
    report = detector_of(folder).report
    assert [report[name].split(" (")[0] for name in ("size", "mean", "crop", "resize")] == [
        "64", "[0.1, 0.1, 0.1]", "0.8", "bicubic",
    ]  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config | {"pretrained_cfg": {"input_size": [3, 64, 64]}}))
    assert detector_of(folder).report["mean"] == "[0, 0, 0] (assumed)"


@pytest.mark.parametrize(
    ("labels", "fake"),
    [
        (("Real", "Fake"), 1), (("REAL", "FAKE"), 1), (("Realism", "Deepfake"), 1), (("fake", "real"), 0),
        (("artificial", "human"), 0), (("artificial", "real"), 0), (("ai", "hum"), 0), (("LABEL_0", "LABEL_1"), None),
        (("0", "1"), None), (("fake", "fake"), None), (("real", "real"), None), (("realfake", "cat"), None),
        (("cat", "dog"), None),
    ],
)  # fmt: skip
def test_labels_of_published_models_and_words_that_do_not_tell(labels, fake):
    """dima806, prithivMLmods, Organika, Smogy, haywoodsloan, Ateeqq."""
    assert fake_label(dict(enumerate(labels))) == fake
