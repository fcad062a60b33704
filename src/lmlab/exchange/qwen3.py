"""Qwen3 (Yang et al. 2025): Llama with a norm on the queries and keys of each head."""

from collections.abc import Mapping
from typing import Any

from lmlab.exchange import llama
from lmlab.exchange.architecture import Described, Keys, Role
from lmlab.exchange.tensors import Rule, Same


class Qwen3:
    """`Qwen3ForCausalLM`."""

    title = "Qwen3"
    role: Role = "decoder"
    model_type = "qwen3"
    zeros: tuple[str, ...] = ()
    prefix = "model."
    defaults: Mapping[str, Any] = {"num_key_value_heads": 32, "head_dim": 128, "tie_word_embeddings": False}
    fixed: Mapping[str, Any] = {
        "hidden_act": "silu",
        "attention_bias": False,
        "use_sliding_window": False,
        "rms_norm_eps": 1e-6,  # also of queries and keys, which have no key of their own
    }

    def keys(self, config: Mapping[str, Any]) -> Keys:
        return {"model": "qwen3", **llama.values(config)}

    def config(self, described: Described) -> dict[str, Any]:
        common = llama.written(described) | {"rms_norm_eps": 1e-6}
        return {"architectures": ["Qwen3ForCausalLM"], "model_type": self.model_type, **common}

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        rules = llama.ends(config)
        for layer in range(config["num_hidden_layers"]):
            ours, theirs = f"model.blocks.{layer}.attention.heads", f"model.layers.{layer}.self_attn"
            rules += llama.block(config, layer)
            rules.append(Same(f"{ours}.query_norm.weight", f"{theirs}.q_norm.weight"))
            rules.append(Same(f"{ours}.key_norm.weight", f"{theirs}.k_norm.weight"))
        return rules

    def is_left_out(self, name: str) -> bool:
        return llama.is_left_out(name)

    def renamed(self, name: str) -> str:
        return name
