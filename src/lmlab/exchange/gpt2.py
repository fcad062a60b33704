"""GPT-2 (Radford et al. 2019): one projection for query, key and value; linear maps kept transposed (Conv1D)."""

import re
from collections.abc import Mapping
from typing import Any

from lmlab.exchange.architecture import Described, Keys, Role, activation_of, feedforward_of
from lmlab.exchange.tensors import Rule, Same

LINEAR = {
    "attention.heads.query": "attn.c_attn",
    "attention.heads.output": "attn.c_proj",
    "feedforward.input": "mlp.c_fc",
    "feedforward.output": "mlp.c_proj",
}
NORMS = {"attention_branch.norm": "ln_1", "feedforward_branch.norm": "ln_2"}


class Gpt2:
    """`GPT2LMHeadModel`."""

    title = "GPT-2"
    role: Role = "decoder"
    model_type = "gpt2"
    zeros: tuple[str, ...] = ("model.attention.bias", "model.feedforward.bias", "model.norm.bias")
    prefix = "transformer."
    defaults: Mapping[str, Any] = {
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
    }
    fixed: Mapping[str, Any] = {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    }

    def keys(self, config: Mapping[str, Any]) -> Keys:
        return {
            "model": "gpt2",
            "model/feedforward": feedforward_of(config["activation_function"]),
            "model.dim": config["n_embd"],
            "model.num_layers": config["n_layer"],
            "model.attention.num_heads": config["n_head"],
            "model.position.max_length": config["n_positions"],
            "model.norm.eps": config["layer_norm_epsilon"],
            "model.feedforward.hidden_dim": config["n_inner"] or 4 * config["n_embd"],
            "head.tie_weights": config["tie_word_embeddings"],
        }

    def config(self, described: Described) -> dict[str, Any]:
        model = described.model
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": self.model_type,
            "vocab_size": described.vocab_size,
            "n_positions": model["position"].get("max_length", described.length),
            "n_embd": model["dim"],
            "n_layer": model["num_layers"],
            "n_head": model["attention"]["num_heads"],
            "n_inner": model["feedforward"]["hidden_dim"],
            "activation_function": activation_of(model["feedforward"], "gelu_new"),
            "layer_norm_epsilon": model["norm"].get("eps", 1e-5),
            "embd_pdrop": model["dropout"],
            "resid_pdrop": model["dropout"],
            "attn_pdrop": model["attention"]["dropout"],
            "tie_word_embeddings": described.head.get("tie_weights", True),
            "bos_token_id": described.eos,
            "eos_token_id": described.eos,
        }

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        rules: list[Rule] = [
            Same("model.embedding.weight", "transformer.wte.weight"),
            Same("model.position.table.weight", "transformer.wpe.weight"),
        ]
        for layer in range(config["n_layer"]):
            ours, theirs = f"model.blocks.{layer}", f"transformer.h.{layer}"
            for part, name in LINEAR.items():
                rules.append(Same(f"{ours}.{part}.weight", f"{theirs}.{name}.weight", is_transposed=True))
                rules.append(Same(f"{ours}.{part}.bias", f"{theirs}.{name}.bias"))
            for part, name in NORMS.items():
                rules += [Same(f"{ours}.{part}.{kind}", f"{theirs}.{name}.{kind}") for kind in ("weight", "bias")]
        rules += [Same(f"model.norm.{kind}", f"transformer.ln_f.{kind}") for kind in ("weight", "bias")]
        is_tied = config["tie_word_embeddings"]
        return [*rules, Same("head.output.weight", "transformer.wte.weight" if is_tied else "lm_head.weight")]

    def is_left_out(self, name: str) -> bool:
        """The causal mask, which older files hold, and a head that is the embedding."""
        return name == "lm_head.weight" or re.fullmatch(r".*\.attn\.(bias|masked_bias)", name) is not None

    def renamed(self, name: str) -> str:
        return name
