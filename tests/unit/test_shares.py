"""A batch is divided without a record lost, and evenly."""

from hypothesis import given
from hypothesis import strategies as st

from vitalbench.train.shares import micro_batches, own_share, parts


@given(st.integers(0, 500), st.integers(1, 40))
def test_parts_cover_everything_in_order_and_differ_by_one(count, into):
    found = parts(count, into)
    assert [i for part in found for i in range(count)[part]] == list(range(count))
    sizes = [part.stop - part.start for part in found]
    assert len(sizes) == into
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 300), st.integers(1, 9), st.one_of(st.none(), st.integers(1, 50)))
def test_every_process_takes_as_many_micro_batches_and_together_they_take_every_record(count, ranks, most):
    taken, pieces = [], set()
    for rank in range(ranks):
        share = own_share(count, rank, ranks)
        found = micro_batches(count, ranks, rank, most)
        pieces.add(len(found))
        taken += [i for piece in found for i in range(count)[share][piece]]
        assert most is None or all(piece.stop - piece.start <= most for piece in found)
    assert taken == list(range(count))
    assert len(pieces) == 1
