import torch

from lmlab.task.carried import joined, num_rows, part


def state(*rows, document=None):
    """A recurrent model's: layers of (hidden, cell), and the number of each row's document where there is one."""
    hidden = torch.tensor(rows, dtype=torch.float32)[:, None]
    return (((hidden, -hidden),), () if document is None else (torch.tensor(document),))


def test_the_parts_of_a_checkpoint_are_taken_as_they_are_where_they_fit():
    saved = {0: state(0, 1), 2: state(2, 3)}
    assert part(saved, [2, 3]) is saved[2]


def test_other_parts_are_cut_from_all_rows():
    saved = {3: state(3, 4, 5), 0: state(0, 1, 2)}  # in any order
    ((hidden, cell),), document = part(saved, [2, 3])
    assert hidden.flatten().tolist() == [2, 3]
    assert cell.flatten().tolist() == [-2, -3]
    assert document == ()


def test_rows_without_a_document_are_of_document_one():
    whole = joined([state(0, 1), state(2, document=[7])], [2, 1])
    assert whole[1][0].tolist() == [1, 1, 7]
    assert num_rows(whole) == 3
