"""Robustness cards: which results they are of, and how detectors are ranked."""

import json

import pytest
from result_folders import CAPTION, grid_of, read_all, write_results
from scored_faces import predictions

from sr_deepfake.reporting.cards import card_tables, cards_of
from sr_deepfake.reporting.writing import card_json, card_markdown

MILD, HARD = ((0.0, 0.1), (0.0, 0.05)), ((0.0, 0.8), (0.0, 0.5))  # FNR and FPR, clean and attacked


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """swin met three attacks, resnet50 these and one more that breaks it; xception only two."""
    folder = tmp_path_factory.mktemp("outputs")
    for model, attacks in (
        ("swin", {"jpeg-q15": MILD, "blur-s2": MILD, "noise-11": ((0.0, 0.3), (0.0, 0.05))}),
        ("resnet50", {"jpeg-q15": MILD, "blur-s2": MILD, "noise-11": MILD, "pgd-eps2": HARD}),
        ("xception", {"jpeg-q15": MILD, "blur-s2": MILD}),
    ):
        for attack, (fnr, fpr) in attacks.items():
            write_results(folder, predictions(fnr, fpr), model=model, attack=attack)
    return folder


@pytest.fixture(scope="module")
def cards(outputs):
    results, grid = read_all(outputs), grid_of(outputs, attack="jpeg-q15")
    line = "attack=restoration: suite.restoration is not given"
    return cards_of(results, grid, {result.name: [line] for result in results if result.run.model == "swin"}), grid


def test_detectors_are_ranked_by_the_attacks_that_all_of_them_met(cards):
    found, grid = cards
    assert [card.result.run.model for card in found] == ["resnet50", "swin"]  # though one more attack breaks resnet50
    assert [len(card.ranked.errors) for card in found] == [3, 3]
    assert found[0].rank_error == pytest.approx((0.1 + 0.05) / 2)
    assert found[1].rank_error == pytest.approx((0.3 + 0.05) / 2)
    assert found[0].error.value == pytest.approx((0.8 + 0.5) / 2)
    ranking, attacks = card_tables(found, grid)
    assert [row[1] for row in ranking.rows] == ["Resnet50", "Swin"]
    gap = ranking.rows[0][list(ranking.columns).index("Next is worse by")]
    assert gap.startswith("+10.0 [")
    assert [row[2] for row in attacks.rows][:3] == ["none (clean)", "pgd-eps2", "blur-s2"]
    assert any("Swin on FaceSwap: no results of pgd-eps2, attack=restoration" in remark for remark in ranking.remarks)


def test_seeds_of_a_training_have_a_card_each_with_their_number(tmp_path):
    for seed in (0, 1):
        for attack in ("jpeg-q15", "blur-s2", "noise-11"):
            write_results(tmp_path, predictions(*MILD), attack=attack, seed=seed, detector=f"swin-{seed}", model="swin")
    found = cards_of(read_all(tmp_path), grid_of(tmp_path))
    assert [card.name for card in found] == ["Swin (seed 0) on FaceSwap", "Swin (seed 1) on FaceSwap"]


def test_a_card_is_plain_json_and_a_table_with_the_block_of_model_hubs(cards):
    card = cards[0][1]
    content = json.loads(json.dumps(card_json(card)))
    assert content["worst_case"]["fnr"]["value"] == pytest.approx(0.3)
    assert [attack["name"] for attack in content["attacks"]] == ["noise-11", "blur-s2", "jpeg-q15"]
    assert content["illustration"] == CAPTION
    assert content["worst_case"]["enough_for_95_percent"] == 1
    text = card_markdown(card)
    assert text.startswith("---\nmodel-index:")
    assert CAPTION in text
    assert "| FaceSwap | Swin | none (clean) |" in text


def test_the_faces_of_several_methods_are_taken_together_and_what_is_scored_on_a_part_makes_no_worst_case(tmp_path):
    for method, fnr in (("FaceSwap", (0.0, 0.0)), ("Deepfakes", (0.0, 0.6))):
        table = predictions(fnr, (0.0, 0.1))
        fakes = table["label"] == 1
        table["face_id"] = table["face_id"].where(~fakes, method + table["face_id"])
        for attack in ("jpeg-q15", "blur-s2", "noise-11", "pgd-eps2"):
            if (method, attack) != ("Deepfakes", "pgd-eps2"):
                options = {"detector": "mine-external", "trained_on": "external", "protocol": "external"}
                write_results(tmp_path, table, model="mine", forgery=method, attack=attack, **options)
    results, grid = read_all(tmp_path), grid_of(tmp_path)
    (card,) = cards_of(results, grid)
    jpeg, _ = card.attacks["jpeg-q15"]
    assert (jpeg.counts.fake, jpeg.counts.pristine) == (80, 40)
    assert card.attacks["pgd-eps2"][1] == ("Deepfakes",)
    assert set(card.worst.errors) == {"jpeg-q15", "blur-s2", "noise-11"}
    assert len(card.worst.faces) == 120
    assert card.worst.metrics.value("both", "fnr") == pytest.approx(0.3)  # not that of the methods which all met
    assert any("pgd-eps2 has no results on Deepfakes" in remark for remark in card_tables([card], grid)[0].remarks)
    few = [result for result in results if result.run.forgery == "FaceSwap" or result.run.attack.name == "jpeg-q15"]
    assert cards_of(few, grid) == []
