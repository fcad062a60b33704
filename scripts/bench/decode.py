"""lmlab's decoding against `generate` of transformers: GPT-2 (124M) with the same random weights, greedy, in one process.

Usage: python scripts/bench/decode.py [BATCH ...] [device=cpu] [new=128] [prompt=64] [rounds=5] [beams=1] [layers=12]

Prints for float32 and bfloat16 and each batch (default: 1 and 8) the tokens per second of both, the median over rounds, and
the median ratio of the pairs. The two take turns, and which of them begins alternates. In float32 both have to write the
same tokens. `beams=4` is beam search with four beams, whose rate counts the tokens of the texts, not of the beams.
"""

import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from lmlab import config as configuration
from lmlab.command.load import Decoder
from lmlab.command.pretrained import ARCHITECTURES, composed, keys_of, weights_of_folder
from lmlab.decoding.beam import search
from lmlab.decoding.loop import generate
from lmlab.decoding.one_row import lay_out_for_one_row
from lmlab.decoding.sample import greedy
from lmlab.exchange.architecture import by_type, complete
from lmlab.exchange.folder import Folder

SETTINGS = {"device": "cpu", "new": "128", "prompt": "64", "rounds": "5", "beams": "1", "layers": "12"}


def main() -> None:
    words = [word for word in sys.argv[1:] if "=" not in word]
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    transformers.utils.logging.set_verbosity_error()
    theirs, ours = both(int(settings["layers"]))
    for dtype in (torch.float32, torch.bfloat16):
        for model in (theirs, ours):
            model.to(device=settings["device"], dtype=dtype)
        for batch in map(int, words or ["1", "8"]):
            bench(theirs, ours, batch, settings)


def both(num_layers: int) -> tuple[Any, Decoder]:
    """transformers' GPT-2 and lmlab's with its weights."""
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_layer=num_layers)).eval()
    theirs.generation_config.eos_token_id = None  # all new tokens are written
    with tempfile.TemporaryDirectory() as path:
        theirs.save_pretrained(path)
        folder = Folder(Path(path))
        architecture = by_type(ARCHITECTURES, folder.config)
        config = composed(keys_of(architecture, complete(architecture, folder.config)))
        config.tokenizer._target_ = "lmlab.tokenizer.pretrained.Pretrained"
        vocab_size = theirs.config.vocab_size
        model = configuration.build(config, "model")(vocab_size=vocab_size, causal=True)
        head = configuration.build(config, "head")(dim=model.dim, vocab_size=vocab_size, embedding=model.embedding)
        ours = Decoder(model, head).eval()
        ours.load_state_dict(weights_of_folder(config, vocab_size, path, ours.state_dict()))
    return theirs, ours


def bench(theirs: Any, ours: Decoder, batch: int, settings: dict[str, str]) -> None:
    """One line: both rates and their ratio."""
    new, beams = int(settings["new"]), int(settings["beams"])
    prompt = torch.randint(50257, (batch, int(settings["prompt"])), generator=torch.Generator().manual_seed(1))
    prompt = prompt.to(settings["device"])
    if batch == beams == 1:  # as `lmlab generate` does
        ours = copy.deepcopy(ours)
        lay_out_for_one_row(ours)
    writers: dict[str, Callable[[], Tensor]] = {
        "transformers": lambda: of_theirs(theirs, prompt, new, beams),
        "lmlab": lambda: of_ours(ours, prompt, new, beams),
    }
    written = {name: write() for name, write in writers.items()}  # warm
    is_same = torch.equal(written["transformers"], written["lmlab"])
    assert is_same or theirs.dtype != torch.float32, "the same weights wrote other tokens"
    rates: dict[str, list[float]] = {name: [] for name in writers}
    for number in range(int(settings["rounds"])):
        for name in sorted(writers, reverse=bool(number % 2)):
            begin = time.perf_counter()
            writers[name]()
            if prompt.is_cuda:
                torch.cuda.synchronize()
            rates[name].append(batch * new / (time.perf_counter() - begin))
    ratio = statistics.median(a / b for a, b in zip(rates["lmlab"], rates["transformers"], strict=True))
    print(
        f"{str(theirs.dtype).removeprefix('torch.')}, batch {batch}, beams {beams}: "
        f"lmlab {statistics.median(rates['lmlab']):,.1f} tokens/s, "
        f"transformers {statistics.median(rates['transformers']):,.1f}; ratio {ratio:.3f}",
        flush=True,
    )


def of_theirs(model: Any, prompt: Tensor, new: int, beams: int) -> Tensor:
    """New tokens [batch, new]."""
    written: Tensor = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new,
        do_sample=False,
        num_beams=beams,
        length_penalty=0.0,
        pad_token_id=0,
    )
    return written[:, prompt.shape[1] :]


def of_ours(decoder: Decoder, prompt: Tensor, new: int, beams: int) -> Tensor:
    """New tokens [batch, new]."""
    options: dict[str, Any] = {"max_tokens": new, "context_size": 1024, "eos": None}
    if beams == 1:
        return generate(decoder.model, decoder.head, prompt, choose=greedy(), seed=0, **options)
    found = search(decoder.model, decoder.head, prompt, num_beams=beams, **options)
    return torch.tensor([best[0].ids for best in found], device=prompt.device)


if __name__ == "__main__":
    main()
