"""Of several processes that claim together exactly one wins, whatever they saw before."""

import multiprocessing
import os

import pytest

from lmlab.run import claim

NUM_PROCESSES = 6


def _claim_often(folder, number, barrier, results):
    for round in range(20):
        last = claim.highest(folder / str(round))
        barrier.wait()
        won = claim.follow(folder / str(round), last, str(number))
        results.put((round, number if won else None))


def _stale_and_fresh(folder, number, barrier, results):
    """Everybody acts on the same old look, and the winner gives back at once, so that numbers go on meanwhile."""
    for round in range(20):
        last = claim.highest(folder / str(round))
        barrier.wait()
        won = claim.follow(folder / str(round), last, str(number))
        if won:
            claim.give_back(won)
        results.put((round, number if won else None))


@pytest.mark.parametrize("body", [_claim_often, _stale_and_fresh])
@pytest.mark.parametrize("has_last", [False, True])
def test_exactly_one_of_many_processes_wins(tmp_path, body, has_last):
    if has_last:
        for round in range(20):
            assert claim.follow(tmp_path / str(round), None, "dead")
    rounds = _results(body, tmp_path)
    for round, results in rounds.items():
        winners = [number for number in results if number is not None]
        assert len(winners) == 1
        assert claim.highest(tmp_path / str(round)).content == str(winners[0])


def test_a_number_is_given_once_even_after_it_was_given_back(tmp_path):
    first = claim.follow(tmp_path, None, "a")
    claim.give_back(first)
    assert claim.follow(tmp_path, None, "slow") is None
    assert claim.highest(tmp_path).is_free
    second = claim.follow(tmp_path, claim.highest(tmp_path), "b")
    assert second.number == 2
    assert os.listdir(tmp_path) == ["2"]


def test_an_old_look_at_the_folder_loses(tmp_path):
    first = claim.follow(tmp_path, None, "a")
    second = claim.follow(tmp_path, first, "b")
    assert claim.follow(tmp_path, second, "c")
    assert claim.follow(tmp_path, None, "slow") is None
    assert claim.follow(tmp_path, first, "slow") is None
    assert claim.highest(tmp_path).content == "c"


def test_claims_work_without_hard_links(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first = claim.follow(tmp_path, None, "a")
    assert claim.follow(tmp_path, None, "b") is None
    assert claim.follow(tmp_path, first, "c").number == 2
    assert os.listdir(tmp_path) == ["2"]


def test_a_claim_of_a_deleted_folder_is_given_back_in_silence(tmp_path):
    held = claim.follow(tmp_path / "a", None, "a")
    held.path.unlink()
    claim.give_back(held)
    assert claim.highest(tmp_path / "a") is None


def _results(body, folder):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(NUM_PROCESSES), context.Queue()
    processes = [context.Process(target=body, args=(folder, n, barrier, results)) for n in range(NUM_PROCESSES)]
    for process in processes:
        process.start()
    rounds = {}
    for _ in range(20 * NUM_PROCESSES):
        round, winner = results.get(timeout=60)
        rounds.setdefault(round, []).append(winner)
    for process in processes:
        process.join()
    return rounds
