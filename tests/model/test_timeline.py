import pytest
import torch

from lmlab.model.timeline import latest, whole

DOCUMENT = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 3, 0, 3, 0, 0], [5, 5, 5, 5, 2, 2, 2, 2, 2, 9, 9, 7], [0] * 12])
CPU = torch.device("cpu")


@pytest.mark.parametrize("cuts", [[1] * 12, [4, 1, 4, 3]])
def test_both_rules_give_the_same_places(cuts):
    seen, latest_seen, offset = (), (), 0
    for piece in DOCUMENT.split(cuts, dim=1):
        time = piece.shape[1]
        grown = whole(piece, seen, time=time, offset=offset, device=CPU)
        summed = latest(piece, latest_seen, batch=3, time=time, device=CPU)
        real = piece != 0
        assert torch.equal(summed.query[real], grown.query[real])
        assert torch.equal(summed.document, piece)
        seen, latest_seen, offset = grown.seen, summed.seen, offset + time
    assert [part.shape for part in latest_seen] == [(3,), (3,)]
    assert latest_seen[1].tolist() == [3, 7, 0]


def test_a_call_without_documents_is_document_1():
    first = latest(None, (), batch=2, time=3, device=CPU)
    assert (first.document, first.query.tolist()) == (None, [[0, 1, 2]] * 2)
    second = latest(torch.tensor([[1, 1], [2, 2]]), first.seen, batch=2, time=2, device=CPU)
    assert second.query.tolist() == [[3, 4], [0, 1]]
    assert second.before.tolist() == [1, 1]
    third = latest(None, second.seen, batch=2, time=1, device=CPU)
    assert third.query.tolist() == [[5], [0]]
