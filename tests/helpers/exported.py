"""A small detector of ours, exported to the formats of other programs."""

import functools
import tempfile
import warnings
from pathlib import Path

import torch
from small_training import tiny_detector

SIDE = 48


class Net(torch.nn.Module):
    """A backbone with one logit, or two (real, fake), and probabilities where they are asked for."""

    def __init__(self, outputs=1, probability=False):
        super().__init__()
        self.inner = ours().backbone
        self.outputs, self.probability = outputs, probability

    def forward(self, faces):
        logit = self.inner(faces)
        if self.outputs == 2:
            both = torch.cat([-logit / 2, logit / 2], 1)
            return both.softmax(1) if self.probability else both
        return logit.sigmoid() if self.probability else logit


class Last(torch.nn.Module):
    """The same with channels last, as TensorFlow has them."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, faces):
        return self.inner(faces.permute(0, 3, 1, 2))


@functools.cache
def ours():
    """The detector itself; its statistics are those of faces, so that scores differ."""
    detector = tiny_detector()
    detector.train()
    with torch.no_grad():
        for _ in range(20):
            detector(faces(16))
        for layer in detector.backbone.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_(8)
    return detector.eval()


def faces(count=7, side=96, seed=0):
    """Faces on the 8-bit grid."""
    random = torch.rand(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(random, size=(side, side), mode="bicubic")
    return (large.clamp(0, 1) * 255).round() / 255


def scores(detector, count=7):
    with torch.no_grad():
        return detector.score(faces(count))


def normalisation():
    config = ours().backbone.pretrained_cfg
    return {"mean": list(config["mean"]), "std": list(config["std"])}


net = functools.cache(Net)


def to_onnx(path, network=None, **options):
    """Write a graph of a network, of `net()` unless another is given."""
    path.write_bytes(onnx_graph(network or net(), **options))
    return str(path)


@functools.cache
def onnx_graph(network, free=True, last=False, dynamo=False):
    """The bytes of the graph, by torch's older exporter, which takes a second; by its newer one (`dynamo`) it is ten."""
    example = torch.rand(4, SIDE, SIDE, 3) if last else torch.rand(4, 3, SIDE, SIDE)
    made = Last(network) if last else network
    axes = {"faces": {0: "batch"}} if free else None
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder, "net.onnx")
        torch.onnx.export(
            made.eval(), (example,), str(path), dynamo=dynamo, input_names=["faces"], dynamic_axes=axes,
            external_data=False, verbose=False,
        )  # fmt: skip
        return path.read_bytes()
