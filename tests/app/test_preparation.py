"""`prepare weights=true`, against a stand-in of the hub."""

from forked import run


def hub_of_two():
    """A hub that knows ResNet50 and Xception, and a server of EDSR."""
    import torch

    from sr_deepfake.detectors import pretrained
    from sr_deepfake.super_resolution import weights as sr_weights
    from sr_deepfake.super_resolution.edsr import basicsr_state, edsr_network

    def downloaded(name, image_size):
        if not name.startswith(("resnet50", "legacy_xception")):
            raise OSError("404")
        return torch.nn.Identity(), f"ImageNet (timm {name})"

    def download(url, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = int(path.name.split("_x")[1][0])
        torch.save(basicsr_state(edsr_network(scale)), path)
        return ""

    pretrained._downloaded = downloaded
    sr_weights._download = download


OPTIONS = ["weights=true", "paths.cache=cache", "forgery=FaceSwap"]


def test_every_network_that_an_experiment_sweeps_over_is_fetched(tmp_path):
    shown = run("prepare", "experiment=sr_models", *OPTIONS, "model=resnet50", cwd=tmp_path, before=hub_of_two)
    assert "resnet50.tv2_in1k: ImageNet (timm resnet50.tv2_in1k)" in shown
    found = {path.name[:16] for path in (tmp_path / "cache" / "weights").iterdir()}
    assert found == {"edsr_baseline_x3", "edsr_baseline_x4"}  # that of K = 2 comes with the package


def test_what_cannot_be_had_is_named(tmp_path):
    shown = run("prepare", "experiment=paper", *OPTIONS, cwd=tmp_path, before=hub_of_two, status=1)
    assert list((tmp_path / "cache" / "weights").glob("edsr_baseline_x2-*"))
    listing = shown[shown.index("job(s) of the sweep failed") :]
    assert "there are no ImageNet weights for swin_small_patch4_window7_224.ms_in1k" in listing
    assert "resnet50" not in listing
