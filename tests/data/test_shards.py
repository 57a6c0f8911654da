import pytest

from sr_deepfake.data.extraction.workers import parse_shard
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize("text", ["2/2", "1", "-1/3", "a/b", "0/0", ""])
def test_a_shard_that_is_none_is_an_error(text):
    with pytest.raises(UserError, match="is no part of a whole"):
        parse_shard(text)


def test_a_shard_may_be_a_number_of_a_number_of_shards():
    assert [parse_shard(index, 3) for index in range(3)] == [(0, 3), (1, 3), (2, 3)]
    assert parse_shard("1/4", 3) == (1, 4)  # named whole, it needs no other option
    assert parse_shard(None) == (0, 1)
    with pytest.raises(UserError, match="is no part of a whole"):
        parse_shard(3, 3)
    with pytest.raises(UserError, match="needs -m"):
        parse_shard(None, 3)
    with pytest.raises(UserError, match="is no number of parts"):
        parse_shard(None, "many")
