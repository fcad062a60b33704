"""BERT (Devlin et al. 2019) with its masked language model's head.

Every token is of type 0 here: that type's vector, the same at every place, is added to the table of places when it is
read, and written back as zero. The pooler and the next-sentence head are left out.
"""

from collections.abc import Mapping
from typing import Any

from lmlab.exchange.architecture import Described, Keys, Role
from lmlab.exchange.tensors import Folded, Joined, Rule, Same

EMBEDDINGS, HEAD = "bert.embeddings", "cls.predictions"
PARTS = {
    "attention.heads.output": "attention.output.dense",
    "attention_branch.norm": "attention.output.LayerNorm",
    "feedforward.input": "intermediate.dense",
    "feedforward.output": "output.dense",
    "feedforward_branch.norm": "output.LayerNorm",
}
AROUND = {
    "model.embedding_norm": f"{EMBEDDINGS}.LayerNorm",
    "head.transform": f"{HEAD}.transform.dense",
    "head.norm": f"{HEAD}.transform.LayerNorm",
}
NUM_TYPES = 2


class Bert:
    """`BertForMaskedLM`."""

    title = "BERT"
    role: Role = "encoder"
    model_type = "bert"
    zeros: tuple[str, ...] = ("model.attention.bias", "model.feedforward.bias", "model.norm.bias")
    prefix = "bert."
    defaults: Mapping[str, Any] = {
        "layer_norm_eps": 1e-12,
        "type_vocab_size": NUM_TYPES,
        "tie_word_embeddings": True,
    }
    fixed: Mapping[str, Any] = {
        "hidden_act": "gelu",  # also of the head, which has no key of its own
        "is_decoder": False,
        "add_cross_attention": False,
        "position_embedding_type": "absolute",
    }

    def keys(self, config: Mapping[str, Any]) -> Keys:
        return {
            "model": "bert_base",
            "model.dim": config["hidden_size"],
            "model.num_layers": config["num_hidden_layers"],
            "model.attention.num_heads": config["num_attention_heads"],
            "model.position.max_length": config["max_position_embeddings"],
            "model.norm.eps": config["layer_norm_eps"],
            "model.feedforward.hidden_dim": config["intermediate_size"],
            "head": "masked_token",
            "head.eps": config["layer_norm_eps"],
            "head.tie_weights": config["tie_word_embeddings"],
        }

    def config(self, described: Described) -> dict[str, Any]:
        model = described.model
        return {
            "architectures": ["BertForMaskedLM"],
            "model_type": self.model_type,
            "vocab_size": described.vocab_size,
            "hidden_size": model["dim"],
            "num_hidden_layers": model["num_layers"],
            "num_attention_heads": model["attention"]["num_heads"],
            "intermediate_size": model["feedforward"]["hidden_dim"],
            "hidden_act": "gelu",
            "max_position_embeddings": model["position"].get("max_length", described.length),
            "type_vocab_size": NUM_TYPES,
            "layer_norm_eps": model["norm"].get("eps", 1e-12),
            "hidden_dropout_prob": model["dropout"],
            "attention_probs_dropout_prob": model["attention"]["dropout"],
            "tie_word_embeddings": described.head.get("tie_weights", True),
            "pad_token_id": None,
        }

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        dim, words = config["hidden_size"], f"{EMBEDDINGS}.word_embeddings.weight"
        places = (f"{EMBEDDINGS}.position_embeddings.weight", f"{EMBEDDINGS}.token_type_embeddings.weight")
        rules: list[Rule] = [
            Same("model.embedding.weight", words),
            Folded("model.position.table.weight", places, config["type_vocab_size"]),
        ]
        for layer in range(config["num_hidden_layers"]):
            ours, theirs = f"model.blocks.{layer}", f"bert.encoder.layer.{layer}"
            for kind in ("weight", "bias"):
                parts = tuple(f"{theirs}.attention.self.{name}.{kind}" for name in ("query", "key", "value"))
                rules.append(Joined(f"{ours}.attention.heads.query.{kind}", parts, (dim, dim, dim)))
                rules += [Same(f"{ours}.{part}.{kind}", f"{theirs}.{name}.{kind}") for part, name in PARTS.items()]
        for kind in ("weight", "bias"):
            rules += [Same(f"{part}.{kind}", f"{name}.{kind}") for part, name in AROUND.items()]
        is_tied = config["tie_word_embeddings"]
        rules.append(Same("head.tokens.output.weight", words if is_tied else f"{HEAD}.decoder.weight"))
        biases = [f"{HEAD}.bias"] if is_tied else [f"{HEAD}.bias", f"{HEAD}.decoder.bias"]  # of two the last one counts
        return [*rules, *(Same("head.tokens.output.bias", name) for name in biases)]

    def is_left_out(self, name: str) -> bool:
        return name.startswith(("bert.pooler.", "cls.seq_relationship.")) or name in (
            f"{EMBEDDINGS}.position_ids",
            f"{HEAD}.decoder.weight",  # the embedding's where they are tied
            f"{HEAD}.decoder.bias",  # the head's
        )

    def renamed(self, name: str) -> str:
        """A norm's weight and bias in files from TensorFlow's time."""
        return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
