import onnx
import pytest
import torch
from exported import SIDE, faces, net, normalisation, ours, scores, to_onnx
from onnx import TensorProto, helper

from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.onnx import open_onnx
from sr_deepfake.system.errors import UserError


def onnx_detector(path, **options):
    return ExternalDetector(open_onnx, path, "net", **options)


@pytest.mark.parametrize(
    ("free", "last"), [(True, False), (True, True), (False, False)], ids=["free batch", "channels last", "batch of 4"]
)
def test_a_graph_gives_the_scores_of_the_network_that_it_was_made_of(tmp_path, free, last):
    path = to_onnx(tmp_path / "net.onnx", free=free, last=last)
    detector = onnx_detector(path, **normalisation())
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


def graph(path, inputs, output=(1,), kind=TensorProto.FLOAT):
    """A graph that averages its first input."""
    tensors = [helper.make_tensor_value_info(f"in{i}", kind, shape) for i, shape in enumerate(inputs)]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, *output])
    nodes = [
        helper.make_node("Cast", ["in0"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["cast"], ["mean"], axes=list(range(1, len(inputs[0]))), keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["one"]),
        helper.make_node("Tile", ["one", "times"], ["out"]),
    ]
    values = [
        helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 1]),
        helper.make_tensor("times", TensorProto.INT64, [2], [1, *output]),
    ]
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(helper.make_graph(nodes, "g", tensors, [out], values), opset_imports=opset, ir_version=8)
    onnx.save(model, str(path))
    return str(path)


def test_a_graph_of_bytes_gets_bytes(tmp_path):
    detector = onnx_detector(
        graph(tmp_path / "bytes.onnx", [[None, 3, 96, 96]], kind=TensorProto.UINT8), output="logit"
    )
    assert detector.report["range"] == "255 (the graph)"
    expected = (faces() * 255).mean((1, 2, 3)).double()
    torch.testing.assert_close(detector(faces()), expected, atol=1e-3, rtol=0)


def test_a_graph_of_any_side_gets_faces_of_the_side_that_is_asked_for(tmp_path):
    path = graph(tmp_path / "any.onnx", [[None, 3, None, None]])
    assert onnx_detector(path).report["size"] == "224 (assumed)"
    assert onnx_detector(path, size=64).report["size"] == "64 (model.size)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: graph(path, [[None, 3, 9, 9], [None, 3, 9, 9]]), r"has 2 inputs \(in0, in1\)"),
        (lambda path: graph(path, [[None, 3, 9, 9]], output=(7,)), "none of its outputs has one or two numbers"),
        (lambda path: graph(path, [[None, 5, 9, 9]]), "takes square pictures"),
        (lambda path: graph(path, [[None, 3, 9, 8]]), "takes square pictures"),
        (lambda path: graph(path, [[None, 3, 9]]), "takes square pictures"),
        (lambda path: path.write_bytes(b"no graph") and str(path), "is not an ONNX graph"),
    ],
    ids=["two inputs", "seven classes", "five channels", "not square", "no picture", "no graph"],
)  # fmt: skip
def test_what_is_no_detector_is_refused_in_one_line(tmp_path, make, message):
    with pytest.raises(UserError, match=message) as error:
        onnx_detector(make(tmp_path / "net.onnx"))
    assert "\n" not in str(error.value)


def test_another_file_or_another_reading_is_another_detector(tmp_path):
    one, other = to_onnx(tmp_path / "1.onnx"), to_onnx(tmp_path / "2.onnx", net(2, False))
    first = onnx_detector(one).identity
    assert onnx_detector(one).identity == first
    assert onnx_detector(one, channels="bgr").identity != first
    assert onnx_detector(other).identity["digest"] != first["digest"]


def test_weights_in_a_file_beside_the_graph_belong_to_it(tmp_path):
    model = onnx.load(to_onnx(tmp_path / "whole.onnx"))
    onnx.save(
        model,
        str(tmp_path / "net.onnx"),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=64,  # smaller ones are shapes, which the graph needs itself
    )
    first = onnx_detector(str(tmp_path / "net.onnx")).identity["digest"]
    content = bytearray((tmp_path / "weights.bin").read_bytes())
    content[:400] = bytes(400)
    (tmp_path / "weights.bin").write_bytes(content)
    assert onnx_detector(str(tmp_path / "net.onnx")).identity["digest"] != first


def classifier(path, outputs, fixed=False):
    """A graph with the network's mean under several names, of several kinds; `fixed`: of one face, though its batch is free."""
    picture = helper.make_tensor_value_info("in", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    shape = [1, 1] if fixed else [-1, 1]
    nodes = [
        helper.make_node("ReduceMean", ["in"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["one"]),
    ]
    infos = []
    for name, kind, columns in outputs:
        nodes += [
            helper.make_node("Cast", ["one"], [f"{name}_cast"], to=kind),
            helper.make_node("Tile", [f"{name}_cast", f"{name}_times"], [name]),
        ]
        infos.append(helper.make_tensor_value_info(name, kind, ["batch", columns]))
    values = [helper.make_tensor("shape", TensorProto.INT64, [2], shape)]
    values += [
        helper.make_tensor(f"{name}_times", TensorProto.INT64, [2], [1, columns]) for name, _, columns in outputs
    ]
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [picture], infos, values), opset_imports=opset, ir_version=8
    )
    onnx.save(model, str(path))
    return str(path)


def test_a_label_is_no_score(tmp_path):
    """Exported classifiers give a label, then probabilities."""
    path = classifier(tmp_path / "a.onnx", [("label", TensorProto.INT64, 1), ("prob", TensorProto.FLOAT, 1)])
    detector = onnx_detector(path, output="logit")
    assert "outputs (label, prob)" in detector.note
    torch.testing.assert_close(detector(faces()), faces().mean((1, 2, 3)).double(), atol=1e-2, rtol=0)


def test_of_several_scores_one_is_asked_for(tmp_path):
    path = classifier(tmp_path / "a.onnx", [("first", TensorProto.FLOAT, 1), ("second", TensorProto.FLOAT, 2)])
    with pytest.raises(UserError, match=r"2 outputs that may be scores \(first .*model\.output_name=NAME"):
        onnx_detector(path)
    assert onnx_detector(path, output_name="second", output="logits2").output == "logits2"
    with pytest.raises(UserError, match=r"model\.output_name=third: the outputs of .* are called first, second"):
        onnx_detector(path, output_name="third")


def test_a_batch_that_is_free_by_name_and_fixed_inside_is_of_one(tmp_path):
    detector = onnx_detector(
        classifier(tmp_path / "a.onnx", [("out", TensorProto.FLOAT, 1)], fixed=True), output="logit"
    )
    assert detector.batch == 1
    assert "one face at a time" in detector.note
    torch.testing.assert_close(detector(faces()), faces().mean((1, 2, 3)).double(), atol=1e-2, rtol=0)


def test_other_files_next_to_a_graph_do_not_change_it(tmp_path):
    path = to_onnx(tmp_path / "net.onnx")
    first = onnx_detector(path).identity["digest"]
    for name in ("a", "in", "onnx", "1"):  # short names, which are somewhere in the graph's bytes
        (tmp_path / name).write_bytes(b"x")
    assert onnx_detector(path).identity["digest"] == first
