"""`prepare weights=true`, against a stand-in of the hub."""

from forked import run


def hub_of_two():
    """A hub that knows ResNet50 alone, and a server of EDSR."""
    import torch

    from sr_deepfake.detectors import pretrained
    from sr_deepfake.super_resolution import weights as sr_weights
    from sr_deepfake.super_resolution.edsr import basicsr_state, edsr_network

    def downloaded(name, image_size):
        if not name.startswith(("resnet50", "legacy_xception")):
            raise OSError("404")
        return pretrained.Weights(f"ImageNet (timm {name})", {})

    def fetch(offer, path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(basicsr_state(edsr_network(2)), path)

    pretrained._downloaded = downloaded
    sr_weights.fetch = fetch


def test_all_weights_of_an_experiment_are_fetched_and_their_places_told(tmp_path):
    options = ["experiment=paper", "weights=true", "paths.cache=cache"]
    shown = run("prepare", *options, "model=resnet50", cwd=tmp_path, before=hub_of_two)
    assert "resnet50.tv2_in1k: ImageNet (timm resnet50.tv2_in1k)" in shown
    assert "edsr" in shown
    assert "cache/weights" in shown
    assert list((tmp_path / "cache" / "weights").glob("edsr_baseline_x2-*"))


def test_what_cannot_be_had_is_named_together(tmp_path):
    shown = run(
        "prepare",
        "experiment=paper",
        "weights=true",
        "paths.cache=cache",
        cwd=tmp_path,
        before=hub_of_two,
        status=1,
    )
    assert "there are no ImageNet weights for swin_small_patch4_window7_224.ms_in1k" in shown
    assert len([line for line in shown.splitlines() if line.startswith("error: ")]) == 1
