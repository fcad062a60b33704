"""Each published architecture: logits equal to those of transformers from the same weights, read and written."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, GPT2Config, LlamaConfig, Qwen3Config, T5Config

from lmlab import config as configuration
from lmlab.command.load import Decoder
from lmlab.command.pretrained import ARCHITECTURES, architecture_for, composed, described, keys_of, weights_of_folder
from lmlab.exchange.architecture import by_type, complete
from lmlab.exchange.folder import Folder, write
from lmlab.exchange.tensors import to_theirs
from lmlab.model.seq2seq import Seq2Seq

VOCAB = 37
LLAMA = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4}
T5 = {"d_model": 24, "d_kv": 10, "d_ff": 40, "num_heads": 4, "relative_attention_max_distance": 20}
PUBLISHED = {
    "gpt2": GPT2Config(n_positions=16, n_embd=24, n_layer=2, n_head=4),
    "gpt2 gelu": GPT2Config(n_positions=16, n_embd=24, n_layer=1, n_head=3, n_inner=40, activation_function="gelu"),
    "bert": BertConfig(**LLAMA, max_position_embeddings=16),
    "bert untied": BertConfig(**LLAMA, max_position_embeddings=16, tie_word_embeddings=False),
    "llama": LlamaConfig(**LLAMA, rms_norm_eps=1e-5),
    "llama grouped": LlamaConfig(**LLAMA, num_key_value_heads=2, tie_word_embeddings=True, head_dim=10),
    "qwen3": Qwen3Config(**LLAMA, num_key_value_heads=2, head_dim=8, rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
    "t5": T5Config(**T5, num_layers=2),
    "t5 uneven": T5Config(**T5, num_layers=1, num_decoder_layers=2, feed_forward_proj="gelu"),
}  # fmt: skip
ROPE = {"rope_theta": 5e5, "factor": 4.0, "original_max_position_embeddings": 16}
STRETCHED = {
    "llama3": {"rope_type": "llama3", **ROPE, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "linear": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
}
SCALINGS = configuration.groups().get("model/position/scaling", {})
PUBLISHED |= {
    f"llama {name}": LlamaConfig(**LLAMA, max_position_embeddings=64, rope_parameters=rope)
    for name, rope in STRETCHED.items()
    if name in SCALINGS
}
CLASSES = {
    "gpt2": transformers.GPT2LMHeadModel,
    "bert": transformers.BertForMaskedLM,
    "llama": transformers.LlamaForCausalLM,
    "qwen3": transformers.Qwen3ForCausalLM,
    "t5": transformers.T5ForConditionalGeneration,
}
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def randomised(name):
    """A model of transformers with every weight drawn, so that none is neutral."""
    config = PUBLISHED[name]
    config.vocab_size, config.bos_token_id, config.eos_token_id = VOCAB, 1, 2
    torch.manual_seed(0)
    theirs = CLASSES[name.split()[0]](config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return theirs


def configured(folder):
    """The configuration that a folder asks for, and lmlab's model with its head."""
    architecture = by_type(ARCHITECTURES, folder.config)
    config = composed(keys_of(architecture, complete(architecture, folder.config)))
    torch.manual_seed(1)
    model = configuration.build(config, "model")(vocab_size=VOCAB, causal=architecture.role != "encoder")
    head = configuration.build(config, "head")(dim=model.dim, vocab_size=VOCAB, embedding=model.embedding)
    return config, Decoder(model, head).eval()


def loaded(path):
    """A folder's configuration, and its model with its weights, as init_from takes them."""
    config, ours = configured(Folder(path))
    config.tokenizer._target_ = "lmlab.tokenizer.pretrained.Pretrained"
    ours.load_state_dict(weights_of_folder(config, VOCAB, str(path), ours.state_dict()))
    return config, ours


AUTO = {
    "decoder": transformers.AutoModelForCausalLM,
    "encoder": transformers.AutoModelForMaskedLM,
    "pair": transformers.AutoModelForSeq2SeqLM,
}


def logits(task, ids):
    """Of a pair, for the ids turned round as the source."""
    if isinstance(task.model, Seq2Seq):
        return task.head(task.model.of_pair(ids.flip(1), ids).states)
    return task.head(task.model(ids).states)


def their_logits(model, ids):
    if model.config.is_encoder_decoder:
        return model(input_ids=ids.flip(1), decoder_input_ids=ids).logits
    return model(ids).logits


@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_are_those_of_transformers_and_written_back_as_well(name, tmp_path):
    theirs, ids = randomised(name), torch.randint(3, VOCAB, (2, 11))
    theirs.save_pretrained(tmp_path / "in")
    config, ours = loaded(tmp_path / "in")
    expected = their_logits(theirs, ids)
    torch.testing.assert_close(logits(ours, ids), expected, **CLOSE)

    about = described(config, causal=not name.startswith("bert"), vocab_size=VOCAB, eos=2)
    architecture, content = architecture_for(config, about)
    assert architecture.model_type == name.split()[0]
    write(tmp_path / "out", content, to_theirs(architecture.rules(content), ours.state_dict()), {}, {})
    again, report = AUTO[architecture.role].from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values()), report
    torch.testing.assert_close(their_logits(again.eval(), ids), expected, **CLOSE)
    torch.testing.assert_close(logits(loaded(tmp_path / "out")[1], ids), expected, **CLOSE)


def test_a_model_without_biases_is_written_with_zeros(tmp_path):
    config = configuration.compose(["model=nanogpt", "model.dim=24", "model.num_layers=1", "batch.seq_len=16"])
    torch.manual_seed(0)
    model = configuration.build(config, "model")(vocab_size=VOCAB, causal=True)
    head = configuration.build(config, "head")(dim=24, vocab_size=VOCAB, embedding=model.embedding)
    ours, ids = Decoder(model, head).eval(), torch.randint(VOCAB, (2, 11))
    architecture, content = architecture_for(config, described(config, causal=True, vocab_size=VOCAB, eos=2))
    write(tmp_path, content, to_theirs(architecture.rules(content), ours.state_dict()), {}, {})
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(theirs(ids).logits, logits(ours, ids), **CLOSE)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_files_from_before_are_read_as_those_of_today(name, tmp_path):
    """gpt2 is published without the prefix of its names and with causal masks, bert-base-uncased with gamma and beta."""
    theirs, ids = randomised(name), torch.randint(VOCAB, (2, 11))
    theirs.save_pretrained(tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    if name == "gpt2":
        found = {key.removeprefix("transformer."): tensor for key, tensor in found.items()}
        found["h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
    else:
        found = {key.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for key, tensor in found.items()}
        found = {key.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for key, tensor in found.items()}
        found |= {"bert.pooler.dense.bias": torch.ones(24), "cls.seq_relationship.bias": torch.ones(2)}
    save_file(found, tmp_path / "model.safetensors")
    torch.testing.assert_close(logits(loaded(tmp_path)[1], ids), theirs(ids).logits, **CLOSE)
