"""How the ranks of one run find each other: a store in the process that started them, at a port that the system chose."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from pytorch_lightning.plugins.environments import ClusterEnvironment  # type: ignore[attr-defined]
from torch import distributed
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others before it gives up; whoever started them ends them sooner where one fails."""

HERE = "127.0.0.1"


def open_store() -> TCPStore:
    """The store of a new group; the system finds the port and holds it, so that two runs never meet at one."""
    return TCPStore(HERE, 0, is_master=True, wait_for_workers=False)


@dataclass(frozen=True)
class Rank:
    """Which of how many a process is, from its environment; in a process that nobody started as a rank, the only one."""

    rank: int
    local_rank: int
    world: int

    @staticmethod
    def here() -> "Rank":
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        rank, local_rank, world = (int(os.environ.get(name, name == "WORLD_SIZE")) for name in names)
        return Rank(rank, local_rank, world)


def connect() -> Store:
    """The store that MASTER_ADDR and MASTER_PORT name."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return TCPStore(address, port, is_master=False, timeout=PATIENCE)


def join(store: Store, accelerator: str) -> None:
    """Makes the process group of all ranks, in which Lightning then finds itself."""
    here = Rank.here()
    device = torch.device("cuda", here.local_rank) if accelerator == "cuda" else None
    if device is not None:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "gloo" if device is None else "nccl",
        store=PrefixStore("group", store),
        rank=here.rank,
        world_size=here.world,
        timeout=PATIENCE,
        device_id=device,
    )


class Started(ClusterEnvironment):
    """Tells Lightning that its ranks are running already, whatever cluster's variables stand in the environment."""

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return os.environ.get("MASTER_ADDR", HERE)

    @property
    def main_port(self) -> int:
        return int(os.environ.get("MASTER_PORT", 0))

    @staticmethod
    def detect() -> bool:
        return "RANK" in os.environ

    def world_size(self) -> int:
        return Rank.here().world

    def set_world_size(self, size: int) -> None:
        """Nothing: it is in the environment."""

    def global_rank(self) -> int:
        return Rank.here().rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is in the environment."""

    def local_rank(self) -> int:
        return Rank.here().local_rank

    def node_rank(self) -> int:
        return int(os.environ.get("NODE_RANK", 0))
