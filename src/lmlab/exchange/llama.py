"""Llama (Touvron et al. 2023; Grattafiori et al. 2024): RMS norm, rotary places, SwiGLU, no biases."""

from collections.abc import Mapping
from typing import Any

from lmlab.exchange.architecture import Described, Keys, Role
from lmlab.exchange.tensors import Joined, Rule, Same
from lmlab.types import Mistake

PROJECTIONS = ("q_proj", "k_proj", "v_proj")


class Llama:
    """`LlamaForCausalLM`."""

    title = "Llama"
    role: Role = "decoder"
    model_type = "llama"
    zeros: tuple[str, ...] = ()
    prefix = "model."
    defaults: Mapping[str, Any] = {
        "num_key_value_heads": None,
        "head_dim": None,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
    }
    fixed: Mapping[str, Any] = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}

    def keys(self, config: Mapping[str, Any]) -> Keys:
        return {"model": "llama", **values(config)}

    def config(self, described: Described) -> dict[str, Any]:
        return {"architectures": ["LlamaForCausalLM"], "model_type": self.model_type, **written(described)}

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        return [rule for layer in range(config["num_hidden_layers"]) for rule in block(config, layer)] + ends(config)

    def is_left_out(self, name: str) -> bool:
        return is_left_out(name)

    def renamed(self, name: str) -> str:
        return name


def is_left_out(name: str) -> bool:
    """Waves, which older files hold, and a head that is the embedding."""
    return name == "lm_head.weight" or name.endswith("rotary_emb.inv_freq")


def values(config: Mapping[str, Any]) -> Keys:
    """What Llama and those after it have in common."""
    heads = config["num_attention_heads"]
    return {
        "model.dim": config["hidden_size"],
        "model.num_layers": config["num_hidden_layers"],
        "model.attention.num_heads": heads,
        "model.attention.num_kv_heads": config["num_key_value_heads"] or heads,
        "model.attention.head_dim": config["head_dim"] or config["hidden_size"] // heads,
        "model.position.base": float(rotation(config)["rope_theta"]),
        **stretched(config),
        "model.norm.eps": config["rms_norm_eps"],
        "model.feedforward.hidden_dim": config["intermediate_size"],
        "head.tie_weights": config["tie_word_embeddings"],
    }


STRETCHED = {
    "llama3": {
        "factor": "factor",
        "low_freq_factor": "low_freq_factor",
        "high_freq_factor": "high_freq_factor",
        "original_length": "original_max_position_embeddings",
    },
    "linear": {"factor": "factor"},
}
"""How rotary places reach further: lmlab's options of model/position/scaling, their keys, and config.json's."""


def rotation(config: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of the rotary places, in the words of transformers 5; older ones have two keys for it."""
    older = {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
    found: dict[str, Any] = dict(config.get("rope_parameters") or older)
    found["rope_type"] = found.get("rope_type", found.get("type", "default"))
    if found["rope_type"] not in ("default", *STRETCHED):
        known = ", ".join(STRETCHED)
        raise Mistake(f"its config.json stretches rotary places by rope_type={found['rope_type']}; lmlab reads {known}")
    return found


def stretched(config: Mapping[str, Any]) -> Keys:
    """The keys of a scaling, where there is one."""
    found = rotation(config)
    kind, names = found["rope_type"], STRETCHED.get(found["rope_type"])
    if names is None:
        return {}
    values = {f"model.position.scaling.{ours}": found[theirs] for ours, theirs in names.items()}
    return {"model/position/scaling": kind, **values}


def turning(position: Mapping[str, Any]) -> dict[str, Any]:
    """`rotation`, the other way round."""
    scaling = position.get("scaling") or {}
    kind = str(scaling.get("_target_", "")).rpartition(".")[2].lower()
    names = STRETCHED.get(kind, {})
    values = {theirs: scaling[ours] for ours, theirs in names.items()}
    return {"rope_theta": position.get("base", 10000.0), "rope_type": kind if names else "default", **values}


def written(described: Described) -> dict[str, Any]:
    """`values`, the other way round."""
    model = described.model
    return {
        "vocab_size": described.vocab_size,
        "hidden_size": model["dim"],
        "intermediate_size": model["feedforward"]["hidden_dim"],
        "num_hidden_layers": model["num_layers"],
        "num_attention_heads": model["attention"]["num_heads"],
        "num_key_value_heads": model["attention"]["num_kv_heads"],
        "head_dim": model["attention"]["head_dim"],
        "hidden_act": "silu",
        "max_position_embeddings": described.length,
        "rms_norm_eps": model["norm"].get("eps", 1e-6),
        "rope_parameters": turning(model["position"]),
        "attention_bias": False,
        "attention_dropout": model["attention"]["dropout"],
        "tie_word_embeddings": described.head.get("tie_weights", True),
        "bos_token_id": described.eos,
        "eos_token_id": described.eos,
    }


def block(config: Mapping[str, Any], layer: int) -> list[Rule]:
    """One layer's tensors."""
    ours, theirs = f"model.blocks.{layer}", f"model.layers.{layer}"
    found = values(config)
    head_dim, hidden = found["model.attention.head_dim"], found["model.feedforward.hidden_dim"]
    query, key = (found[f"model.attention.{name}"] * head_dim for name in ("num_heads", "num_kv_heads"))
    projections = tuple(f"{theirs}.self_attn.{name}.weight" for name in PROJECTIONS)
    gates = (f"{theirs}.mlp.gate_proj.weight", f"{theirs}.mlp.up_proj.weight")
    return [
        Joined(f"{ours}.attention.heads.query.weight", projections, (query, key, key)),
        Same(f"{ours}.attention.heads.output.weight", f"{theirs}.self_attn.o_proj.weight"),
        Joined(f"{ours}.feedforward.input.weight", gates, (hidden, hidden)),
        Same(f"{ours}.feedforward.output.weight", f"{theirs}.mlp.down_proj.weight"),
        Same(f"{ours}.attention_branch.norm.weight", f"{theirs}.input_layernorm.weight"),
        Same(f"{ours}.feedforward_branch.norm.weight", f"{theirs}.post_attention_layernorm.weight"),
    ]


def ends(config: Mapping[str, Any]) -> list[Rule]:
    """The tensors before and behind the layers."""
    embedding = "model.embed_tokens.weight"
    return [
        Same("model.embedding.weight", embedding),
        Same("model.norm.weight", "model.norm.weight"),
        Same("head.output.weight", embedding if config["tie_word_embeddings"] else "lm_head.weight"),
    ]
