import threading

import pytest

from lmlab.strategy.agreement import agree, code_hash
from lmlab.strategy.group import connect, open_store
from lmlab.types import Mistake


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """That of the parent, where its ranks look for it."""
    store = open_store()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    return store


def told_by(*facts):
    """What each rank is told when it says these facts."""
    found = [None] * len(facts)

    def rank(number):
        try:
            agree(connect(), number, len(facts), facts[number])
        except Mistake as mistake:
            found[number] = str(mistake)

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(len(facts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_ranks_that_are_about_to_do_the_same_go_on():
    same = {"seed": "1", "the data": "abc"}
    assert told_by(same, same, same) == [None] * 3


@pytest.mark.parametrize("name", ["seed", "the code of lmlab", "the data", "the first batches"])
def test_all_ranks_say_in_one_sentence_what_differs(name):
    same = {"seed": "1", "the code of lmlab": "abc", "the data": "def", "the first batches": "ghi"}
    found = told_by(same, same, {**same, name: "other"})
    assert len(set(found)) == 1
    assert f"the ranks differ in {name} (rank 0 has {same[name]}, rank 2 has other)" in found[0]
    assert "\n" not in found[0]


def test_a_value_that_one_rank_lacks_is_a_difference():
    assert "model.window (rank 0 has none, rank 1 has 7)" in told_by({}, {"model.window": "7"})[0]


def test_the_hash_of_a_package_depends_on_names_and_contents(tmp_path):
    (tmp_path / "one.py").write_text("a = 1")
    before = code_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("no code")
    assert code_hash(tmp_path) == before
    (tmp_path / "one.py").write_text("a = 2")
    changed = code_hash(tmp_path)
    (tmp_path / "one.py").rename(tmp_path / "two.py")
    assert len({before, changed, code_hash(tmp_path)}) == 3
