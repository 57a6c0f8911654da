import onnx
import pytest
import torch
from exported import SIDE, faces, net, normalisation, ours, scores, to_onnx
from onnx import TensorProto, helper

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.onnx import open_onnx
from sr_deepfake.system.errors import UserError

FLOAT, BYTES, INTEGER = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64


def onnx_detector(path, **options):
    return ExternalDetector(open_onnx, str(path), "net", **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"last": True}, {"free": False}, pytest.param({"dynamo": True}, marks=pytest.mark.nightly)],
    ids=["free batch", "channels last", "batch of 4", "torch's newer exporter"],
)
def test_a_graph_gives_the_scores_of_the_network_that_it_was_made_of(tmp_path, options):
    detector = onnx_detector(to_onnx(tmp_path / "net.onnx", **options), **normalisation())
    for count in (1, 4, 7):
        torch.testing.assert_close(scores(detector, count), scores(ours(), count), atol=1e-5, rtol=0)
    assert detector.report["size"] == f"{SIDE} (the graph)"
    assert detector.report["output"] == "logit (from its numbers)"
    assert detector.report["mean"].endswith("(model.mean)")


@pytest.mark.parametrize(
    ("outputs", "probability", "name"), [(1, True, "probability"), (2, False, "logits2"), (2, True, "probability")]
)
def test_every_kind_of_output_is_reported_by_its_look(tmp_path, outputs, probability, name):
    path = to_onnx(tmp_path / "net.onnx", net(outputs, probability))
    detector = onnx_detector(path, **normalisation())
    assert detector.output == name
    torch.testing.assert_close(scores(detector), scores(ours()), atol=1e-5, rtol=0)
    swapped = onnx_detector(path, fake_index=0, **normalisation())
    torch.testing.assert_close(scores(swapped), 1 - scores(ours()), atol=1e-5, rtol=0)


def graph(path, *inputs, kind=FLOAT, **outputs):
    """A graph that averages its first input, under several names, of several kinds and widths."""
    inputs = inputs or (["batch", 3, SIDE, SIDE],)
    outputs = outputs or {"out": (FLOAT, 1)}
    nodes = [
        helper.make_node("Cast", ["in0"], ["cast"], to=FLOAT),
        helper.make_node("ReduceMean", ["cast"], ["mean"], axes=list(range(1, len(inputs[0]))), keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["one"]),
    ]
    values = [helper.make_tensor("shape", INTEGER, [2], [-1, 1])]
    for name, (sort, columns) in outputs.items():
        nodes += [
            helper.make_node("Cast", ["one"], [f"{name}_cast"], to=sort),
            helper.make_node("Tile", [f"{name}_cast", f"{name}_times"], [name]),
        ]
        values.append(helper.make_tensor(f"{name}_times", INTEGER, [2], [1, columns]))
    taken = [helper.make_tensor_value_info(f"in{i}", kind, shape) for i, shape in enumerate(inputs)]
    given = [helper.make_tensor_value_info(name, sort, ["batch", columns]) for name, (sort, columns) in outputs.items()]
    opset = [helper.make_opsetid("", 13)]
    made = helper.make_graph(nodes, "g", taken, given, values)
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=8), str(path))
    return path


def test_a_graph_of_bytes_gets_bytes(tmp_path):
    detector = onnx_detector(graph(tmp_path / "a.onnx", ["batch", 3, 96, 96], kind=BYTES), output="logit")
    assert detector.report["range"] == "255 (the graph)"
    expected = (faces() * 255).mean((1, 2, 3)).double()
    torch.testing.assert_close(detector(faces()), expected, atol=1e-3, rtol=0)


def test_a_graph_of_any_side_gets_faces_of_the_side_that_is_asked_for(tmp_path):
    path = graph(tmp_path / "any.onnx", [None, 3, None, None])
    assert onnx_detector(path).report["size"] == "224 (assumed)"
    assert onnx_detector(path, size=64).report["size"] == "64 (model.size)"


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([[None, 3, 9, 9], [None, 3, 9, 9]], {}, r"has 2 inputs \(in0, in1\)"),
        ([[None, 3, 9, 9]], {"out": (FLOAT, 7)}, "none of its outputs has one or two numbers"),
        ([[None, 5, 9, 9]], {}, "takes square pictures"),
        ([[None, 3, 9, 8]], {}, "takes square pictures"),
        ([[None, 3, 9]], {}, "takes square pictures"),
        (None, {}, "is not an ONNX graph"),
    ],
    ids=["two inputs", "seven classes", "five channels", "not square", "no picture", "no graph"],
)
def test_what_is_no_detector_is_refused_in_one_line(tmp_path, inputs, outputs, message):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no graph")
    if inputs:
        graph(path, *inputs, **outputs)
    with pytest.raises(UserError, match=message) as error:
        onnx_detector(path)
    assert "\n" not in str(error.value)


def test_another_file_or_another_reading_is_another_detector(tmp_path):
    path = to_onnx(tmp_path / "1.onnx")
    first = onnx_detector(path).identity
    for name in ("a", "in", "onnx", "1"):  # other files, whose short names are somewhere in the graph's bytes
        (tmp_path / name).write_bytes(b"x")
    assert onnx_detector(path).identity == first
    assert onnx_detector(path, channels="bgr").identity != first
    other = to_onnx(tmp_path / "2.onnx", net(2, False))
    assert onnx_detector(other).identity["digest"] != first["digest"]


@pytest.mark.parametrize("name", ["weights.bin", "w" * 200 + ".bin"])
def test_external_data_belong_to_the_graph(tmp_path, name):
    model = onnx.load(to_onnx(tmp_path / "whole.onnx"))
    # Smaller ones are shapes, which the graph needs itself.
    outside = {"save_as_external_data": True, "location": name, "size_threshold": 64}
    onnx.save(model, str(tmp_path / "net.onnx"), **outside)
    first = onnx_detector(tmp_path / "net.onnx").identity["digest"]
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(bytes(400) + content[400:])
    assert onnx_detector(tmp_path / "net.onnx").identity["digest"] != first


def test_a_label_is_no_score(tmp_path):
    """Exported classifiers give a label, then probabilities."""
    detector = onnx_detector(graph(tmp_path / "a.onnx", label=(INTEGER, 1), prob=(FLOAT, 1)), output="logit")
    assert "outputs (label, prob)" in detector.note
    torch.testing.assert_close(detector(faces()), faces().mean((1, 2, 3)).double(), atol=1e-2, rtol=0)


def test_of_several_scores_one_is_asked_for(tmp_path):
    path = graph(tmp_path / "a.onnx", first=(FLOAT, 1), second=(FLOAT, 2))
    with pytest.raises(UserError, match=r"2 outputs that may be scores \(first .*model\.output_name=NAME"):
        onnx_detector(path)
    assert onnx_detector(path, output_name="second", output="logits2").output == "logits2"
    with pytest.raises(UserError, match=r"model\.output_name=third: the outputs of .* are called first, second"):
        onnx_detector(path, output_name="third")
