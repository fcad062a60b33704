"""Several machines in one run: two commands beside each other stand for them."""

import os
import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import TCPStore

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

from lmlab import cli
from lmlab.run.folder import RunFolder
from lmlab.strategy import nodes
from lmlab.strategy.nodes import Nodes, cause, meeting, place
from lmlab.types import Failed, Mistake


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def pair():
    """Two machines that have met."""
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=20))
    other = TCPStore("127.0.0.1", server.port, is_master=False, timeout=timedelta(seconds=20))
    return [Nodes(number, 2, "127.0.0.1", server.port, store) for number, store in enumerate((server, other))]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NODE_RANK": "2", "MASTER_ADDR": "first", "MASTER_PORT": "29500"},
        {"NODE_RANK": "0", "MASTER_ADDR": "first"},
        {"NODE_RANK": "one", "MASTER_ADDR": "first", "MASTER_PORT": "29500"},
    ],
)
def test_what_a_machine_must_know_is_asked_for_in_one_sentence(environment):
    with pytest.raises(Mistake, match="NODE_RANK=0 to 1, MASTER_ADDR=the address of the first and MASTER_PORT"):
        place(2, environment)


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name, value in (("NODE_RANK", "0"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", str(port))):
            monkeypatch.setenv(name, value)
        with pytest.raises(Mistake, match=f"MASTER_PORT={port} cannot be used here"), meeting(2):
            pass


def test_what_the_first_says_is_heard_once(pair):
    first, second = pair
    first.tell(arguments=["config.yaml"])
    first.tell(kind="Mistake", text="too late")
    assert second.told() == {"arguments": ["config.yaml"]}


def test_what_stops_the_first_stops_the_others(pair):
    first, second = pair
    first.tell(kind="Mistake", text="its own words")
    with pytest.raises(Mistake, match="its own words"):
        second.told()


def test_a_failure_elsewhere_is_heard_and_is_the_cause_of_an_echo(pair):
    first, second = pair
    second.end(Failed("rank 1 failed"))
    assert "NODE_RANK=1: rank 1 failed" in str(first.watch())
    own = Failed("connection closed")
    assert "rank 1 failed" in str(cause(own, True, first))
    assert cause(own, False, first) is own


def test_an_end_in_good_order_is_no_failure(pair):
    first, second = pair
    second.end(None)
    assert first.watch() is None
    assert first.wait_for_others() is None


def test_a_machine_that_says_nothing_more_counts_as_gone(pair, monkeypatch):
    first, second = pair
    second.watch()
    for silence, failure in ((3600.0, False), (0.0, True)):
        monkeypatch.setattr(nodes, "SILENCE", silence)
        monkeypatch.setattr(nodes, "BEAT", 0.0)
        assert first.watch() is None or failure
    assert "NODE_RANK=1 is gone; lmlab resume latest" in str(first.watch())


def test_the_first_is_missed_when_its_store_is(pair):
    first, second = pair
    del first.store
    assert "NODE_RANK=0 is gone" in str(second.watch())
    second.end(None)
    second.leave(0.0)


@pytest.fixture
def machines(tmp_path, tiny, port):
    """Starts the same command as both machines of a run, the second with words of its own; gives codes and outputs."""

    def started(*words, second=(), devices=1):
        both = [f"trainer.devices={devices}", "trainer.num_nodes=2", "strategy=ddp", f"output_dir={tmp_path}/two"]
        command = ["train", *tiny(*both, "trainer.precision=32-true", *words)]
        shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
        outputs = [tmp_path / f"{number}.txt" for number in range(2)]
        found = []
        for number, more in enumerate(((), second)):
            variables = {**shared, "NODE_RANK": str(number)}
            arguments = ([*command, *more], str(outputs[number]), variables)
            found.append(torture.FAST.Process(target=torture.command, args=arguments))
            found[-1].start()
        for process in found:
            process.join(200)
            process.kill()
        return [process.exitcode for process in found], [output.read_text() for output in outputs]

    return started


@pytest.mark.slow
def test_two_machines_are_two_devices(machines, tiny, tmp_path):
    codes, outputs = machines("batch.size=4", "optimizer=adamw")
    assert codes == [0, 0], outputs
    one = [f"output_dir={tmp_path}/one", "strategy=ddp", "trainer.devices=2", "optimizer=adamw", "batch.size=4"]
    assert cli.run(["train", *tiny(*one, "trainer.precision=32-true")]) == 0
    runs = [RunFolder(next((tmp_path / name).glob("*/*/run.json")).parent) for name in ("one", "two")]
    same = [{key: value for key, value in run.summary.items() if "/" in key or "sha" in key} for run in runs]
    assert same[0] == same[1]
    assert "test/loss" in same[0]
    assert len(list((tmp_path / "two").glob("*/*/run.json"))) == 1
    for output in outputs:
        assert "run folder" in output


def test_machines_with_other_commands_stop_with_one_sentence(machines):
    codes, outputs = machines(second=("optimizer.lr=0.5",))
    assert codes == [2, 2]
    for output in outputs:
        assert "start the same command on all of them" in output.splitlines()[-1]
        assert "optimizer.lr is 0.5" in output.splitlines()[-1]
        assert "Traceback" not in output
