"""T5 (Raffel et al. 2020): an encoder and a decoder with one embedding; the first layer holds the distances' table for all."""

from collections.abc import Mapping
from typing import Any

from lmlab.exchange.architecture import Described, Keys, Role, activation_of, feedforward_of
from lmlab.exchange.tensors import Joined, Rule, Same

SIDES = ("encoder", "decoder")


class T5:
    """`T5ForConditionalGeneration`."""

    title = "T5"
    role: Role = "pair"
    model_type = "t5"
    zeros: tuple[str, ...] = ()
    prefix = ""
    defaults: Mapping[str, Any] = {
        "num_decoder_layers": None,
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
        "feed_forward_proj": "relu",
        "layer_norm_epsilon": 1e-6,
    }
    fixed: Mapping[str, Any] = {"is_gated_act": False, "tie_word_embeddings": True}  # tied is scaled, there as here

    def keys(self, config: Mapping[str, Any]) -> Keys:
        feedforward = feedforward_of(config["feed_forward_proj"])
        keys: Keys = {
            "model": "t5_small",
            **{f"model/{side}/feedforward": feedforward for side in SIDES},
            "model.dim": config["d_model"],
            "model.num_layers": config["num_layers"],
            "model.decoder.num_layers": config["num_decoder_layers"] or config["num_layers"],
        }
        for part in ("cross_attention", *(f"{side}.attention" for side in SIDES)):
            keys |= {f"model.{part}.num_heads": config["num_heads"], f"model.{part}.head_dim": config["d_kv"]}
        for side in SIDES:
            keys |= {
                f"model.{side}.position.num_buckets": config["relative_attention_num_buckets"],
                f"model.{side}.position.max_distance": config["relative_attention_max_distance"],
                f"model.{side}.norm.eps": config["layer_norm_epsilon"],
                f"model.{side}.feedforward.hidden_dim": config["d_ff"],
            }
        return {**keys, "head": "t5"}

    def config(self, described: Described) -> dict[str, Any]:
        model = described.model
        encoder, decoder = (model[side] for side in SIDES)
        return {
            "architectures": ["T5ForConditionalGeneration"],
            "model_type": self.model_type,
            "is_encoder_decoder": True,
            "vocab_size": described.vocab_size,
            "d_model": model["dim"],
            "d_kv": encoder["attention"]["head_dim"],
            "d_ff": encoder["feedforward"]["hidden_dim"],
            "num_layers": encoder["num_layers"],
            "num_decoder_layers": decoder["num_layers"],
            "num_heads": encoder["attention"]["num_heads"],
            "relative_attention_num_buckets": encoder["position"].get("num_buckets", 32),
            "relative_attention_max_distance": encoder["position"].get("max_distance", 128),
            "feed_forward_proj": activation_of(encoder["feedforward"], "relu"),
            "layer_norm_epsilon": encoder["norm"].get("eps", 1e-6),
            "dropout_rate": model["dropout"],
            "tie_word_embeddings": True,
            "pad_token_id": described.eos,
            "eos_token_id": described.eos,
            "decoder_start_token_id": described.eos,
        }

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        layers = (config["num_layers"], config["num_decoder_layers"] or config["num_layers"])
        width = config["num_heads"] * config["d_kv"]
        rules: list[Rule] = []
        for side, num_layers in zip(SIDES, layers, strict=True):
            rules += [rule for layer in range(num_layers) for rule in _block(side, layer, width)]
            table = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            rules += [
                Same(f"model.{side}.embedding.weight", "shared.weight"),
                Same(f"model.{side}.position.table.weight", table),
                Same(f"model.{side}.norm.weight", f"{side}.final_layer_norm.weight"),
            ]
        return [*rules, Same("head.output.weight", "shared.weight")]

    def is_left_out(self, name: str) -> bool:
        """The embedding under its other names, and a table of a cross-attention, which older files hold and none reads."""
        return name == "lm_head.weight" or name.endswith(
            ("embed_tokens.weight", "EncDecAttention.relative_attention_bias.weight")
        )

    def renamed(self, name: str) -> str:
        return name


def _block(side: str, layer: int, width: int) -> list[Rule]:
    """One layer of the encoder or the decoder, which has an attention more."""
    ours, theirs = f"model.{side}.blocks.{layer}", f"{side}.block.{layer}.layer"
    last = 2 if side == "decoder" else 1
    rules: list[Rule] = [
        _joined(f"{ours}.attention.heads.query", f"{theirs}.0.SelfAttention", "qkv", width),
        Same(f"{ours}.attention.heads.output.weight", f"{theirs}.0.SelfAttention.o.weight"),
        Same(f"{ours}.attention_branch.norm.weight", f"{theirs}.0.layer_norm.weight"),
        Same(f"{ours}.feedforward.input.weight", f"{theirs}.{last}.DenseReluDense.wi.weight"),
        Same(f"{ours}.feedforward.output.weight", f"{theirs}.{last}.DenseReluDense.wo.weight"),
        Same(f"{ours}.feedforward_branch.norm.weight", f"{theirs}.{last}.layer_norm.weight"),
    ]
    if side == "decoder":
        heads, attention = f"{ours}.cross_attention.heads", f"{theirs}.1.EncDecAttention"
        rules += [
            Same(f"{heads}.query.weight", f"{attention}.q.weight"),
            _joined(f"{heads}.key_value", attention, "kv", width),
            Same(f"{heads}.output.weight", f"{attention}.o.weight"),
            Same(f"{ours}.cross_branch.norm.weight", f"{theirs}.1.layer_norm.weight"),
        ]
    return rules


def _joined(ours: str, theirs: str, letters: str, width: int) -> Rule:
    names = tuple(f"{theirs}.{letter}.weight" for letter in letters)
    return Joined(f"{ours}.weight", names, (width,) * len(letters))
