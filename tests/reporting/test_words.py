import pytest
from result_folders import grid_of, read_all, write_results
from scored_faces import predictions

from sr_deepfake.reporting.control import contributions
from sr_deepfake.reporting.words import answer, conclusions


def grid_with(outputs, *changes, **options):
    for number, (fnr, fpr) in enumerate(changes):
        method = ("Deepfakes", "FaceSwap", "Face2Face")[number]
        write_results(outputs, forgery=method, faces=predictions(fnr, fpr, 96), resamples=200, **options)
    return grid_of(outputs)


def test_detectors_that_got_worse_are_counted_and_the_largest_change_is_named(tmp_path):
    grid = grid_with(tmp_path, ((0.1, 0.6), (0, 0.3)), ((0.1, 0.1), (0, 0)))
    words = answer(grid)
    assert words.startswith(
        "In this illustration, under sr-edsr-x2, 1 of 2 detectors misses more fakes: the 95 % interval"
    )
    low, high = grid.attacked[0].figure("both", "fnr").change_interval
    assert (
        f"+50.0 [+{100 * low:.1f}, +{100 * high:.1f}] points, from 10.4 to 60.4 %, of resnet50 on Deepfakes." in words
    )
    said = conclusions(grid)
    assert said[0].startswith("1 of 2 detectors raises more false alarms")
    assert any("48 videos in 48 clusters" in sentence for sentence in said)
    assert not any("clusters of people: below" in sentence for sentence in said)


def test_nothing_is_claimed_that_the_interval_does_not_carry(tmp_path):
    grid = grid_with(tmp_path, ((0.1, 0.11), (0.1, 0.1)))
    assert "there is no evidence that the detector misses more fakes" in answer(grid)
    assert "Of the" not in answer(grid)


def test_better_is_said_too_and_figures_of_real_data_are_no_illustration(tmp_path):
    grid = grid_with(tmp_path, ((0.6, 0.1), (0, 0)), ((0, 0.6), (0, 0)), data="ffpp", protocol="paper")
    words = answer(grid)
    assert words.startswith("Under sr-edsr-x2, 1 of 2 detectors")
    assert "1 of 2 misses fewer." in words


@pytest.mark.parametrize(("count", "warned"), [(40, True), (96, False)])
def test_few_clusters_are_a_warning(tmp_path, count, warned):
    write_results(tmp_path, faces=predictions(count=count))
    said = conclusions(grid_of(tmp_path))
    assert any(sentence.startswith("Only 10 clusters of people: below 20") for sentence in said) == warned


def test_what_argues_against_relying_on_it(tmp_path):
    grid = grid_with(tmp_path, ((0.5, 0.6), (0.5, 0.5)))
    said = " ".join(conclusions(grid))
    assert "Near chance on clean faces already" in said
    assert "Corrected for all 2 tests of FNR and FPR at once" in said


def test_the_network_s_share_is_of_the_change_that_is_named(tmp_path):
    """A large change of few clusters is not the one that the sentence before it names."""
    sure, unsure = predictions((0.1, 0.2), (0, 0), 96), predictions((0, 0.5), (0, 0), 8)
    for attack, share in (("sr-edsr-x2", 1), ("bicubic-x2", 0.5)):
        for method, faces, moved in (("FaceSwap", sure, 0.3), ("Deepfakes", unsure, 0.5)):
            start = 0.1 if method == "FaceSwap" else 0.0
            table = predictions((start, start + share * moved), (0, 0), len(faces) // 2)
            write_results(tmp_path, table, attack=attack, forgery=method)
    grid = grid_of(tmp_path)
    words = answer(grid, contributions(grid, read_all(tmp_path)))
    change = next(entry for entry in grid.shown if entry.method == "FaceSwap").figure("both", "fnr").change
    assert "of resnet50 on FaceSwap." in words
    assert f"Of the {100 * change:.1f} points" in words
