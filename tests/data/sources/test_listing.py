import pytest

from sr_deepfake.data.sources.listing import videos
from sr_deepfake.data.sources.splits import draw_splits
from sr_deepfake.system.errors import UserError


def written(tmp_path, text, encoding="utf-8"):
    (tmp_path / "videos.csv").write_text(text, encoding=encoding)
    return tmp_path / "videos.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_of_videos(tmp_path, encoding):
    file = written(
        tmp_path,
        "path,Label,method,split,target,source,mask\n"
        "clips/a.mp4,real,,train,anna,,\n"
        "/data/a_b.mp4,FAKE,FaceSwap,train,anna,ben,masks/a_b.mp4\n"
        "v.mp4,0,,val,,,\n"
        "w.mp4,1,stable_diffusion-2.1,val,,,\n"
        "clips/größe 1.jpg,1,my method,,carl,,\n",
        encoding,
    )
    table = videos(file)
    assert set(table["method"][table["split"] == "val"]) == {"pristine", "stable_diffusion-2.1"}
    table = table[table["split"] != "val"]
    assert table["method"].tolist() == ["my_method-" + table["method"].iloc[0][-12:], "pristine", "FaceSwap"]
    rows = table.set_index("method")
    assert rows.loc["pristine", ["label", "split"]].tolist() == [0, "train"]
    assert rows["target"].str.split("-").str[0].tolist() == ["carl", "anna", "anna"]
    assert rows.loc["pristine", "path"] == str(tmp_path / "clips/a.mp4")
    assert rows.loc["FaceSwap", ["path", "mask"]].tolist() == ["/data/a_b.mp4", str(tmp_path / "masks/a_b.mp4")]
    assert rows.loc["FaceSwap", "cluster"] == rows.loc["pristine", "cluster"] == rows.loc["pristine", "target"]
    assert table["video_id"].iloc[0].startswith(f"{table['method'].iloc[0]}/gr")


def test_two_columns_are_enough_and_paths_may_be_below_another_folder(tmp_path):
    file = written(tmp_path, "label,path\n0,a.mp4\n1,b.mp4\n")
    table = videos(tmp_path / "clips", str(file))
    assert table[["method", "label", "split"]].to_numpy().tolist() == [["pristine", 0, ""], ["fake", 1, ""]]
    (tmp_path / "clips").mkdir()
    assert videos(tmp_path / "clips", str(file))["path"].iloc[0] == str(tmp_path / "clips" / "a.mp4")
    assert table["cluster"].nunique() == 2  # each video is its own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no column path, label \(it has none\)"),
        ("file,label\na,1\n", "no column path"),
        ("path,label\n", "lists no videos"),
        ("path,label\na,maybe\n", r"line 2: expected a path and a label .*not 'maybe'"),
        ("path,label\n,1\n", "line 2: expected a path"),
        ("path,label,split\na,1,dev\n", "line 2: split must be train, val or test, not 'dev'"),
        ("path,label\na,1\na,1\n", "line 3: a is listed twice"),
        ("path,label,method\na,1,pristine\n", "line 2: the label says fake"),
        ('path,label\n"a,1\nb,0\n', r"videos\.csv cannot be read: .*quote"),
        ('path,label\n"a,1\n"b",0\n', r"videos\.csv cannot be read: .*quote"),
        ('path,label\n"a,1\n' + "b,0\n" * 40_000, r"videos\.csv cannot be read: .*quote"),
        (None, r"data\.list=.*videos\.csv: there is no such file"),
    ],
)
def test_what_is_wrong_with_a_list_is_named_with_its_line(tmp_path, text, message):
    if text is not None:
        written(tmp_path, text)
    with pytest.raises(UserError, match=message):
        videos(tmp_path, str(tmp_path / "videos.csv"))


@pytest.mark.parametrize(("other", "drawn"), [("test", {"test"}), ("", {"train", "val", "test"}), (None, set())])
def test_without_val_it_is_drawn_from_train_which_is_never_tested(tmp_path, caplog, other, drawn):
    splits = ("train", "train" if other is None else other)
    lines = [f"{place}{split}.mp4,{place % 2},{split}" for split in splits for place in range(40)]
    table = draw_splits(
        videos(written(tmp_path, "\n".join(["path,label,split", *dict.fromkeys(lines)]))), (0.7, 0.15, 0.15)
    )
    of_train = table["path"].str.contains(r"train\.mp4")
    assert set(table[of_train]["split"]) == {"train", "val"}
    assert set(table[~of_train]["split"]) == drawn
    assert ("There is no test set" in caplog.text) == (other is None)


def test_a_few_rows_without_a_split_need_not_make_a_test_set(tmp_path, caplog):
    lines = [f"{place}.mp4,{place % 2},{'train' if place else ''}" for place in range(41)]
    table = draw_splits(videos(written(tmp_path, "\n".join(["path,label,split", *lines]))), (0.7, 0.15, 0.15))
    assert set(table["split"]) == {"train", "val"}
    assert "There is no test set" in caplog.text
