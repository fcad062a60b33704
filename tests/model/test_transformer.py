import math

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from lmlab.head.next_token import NextToken
from lmlab.types import Memory, Mistake

GPT2 = (
    "model=transformer", "model/position=learned", "model/norm=layer_norm", "model.norm.bias=true",
    "model/feedforward=gelu_tanh", "model.feedforward.bias=true", "model.attention.bias=true",
)  # fmt: skip


def gpt2_from(model: nn.Module) -> nn.Module:
    """GPT-2 of transformers with the same weights; its linear maps are transposed."""
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=37, n_positions=32, n_embd=24, n_layer=2, n_head=4)).eval()
    weights = {"wte.weight": model.embedding.weight, "wpe.weight": model.position.table.weight}
    pairs = {
        "attn.c_attn": "attention.heads.query", "attn.c_proj": "attention.heads.output",
        "mlp.c_fc": "feedforward.input", "mlp.c_proj": "feedforward.output",
        "ln_1": "attention_branch.norm", "ln_2": "feedforward_branch.norm",
    }  # fmt: skip
    places = [("ln_f", model.norm)] + [
        (f"h.{layer}.{their}", block.get_submodule(our))
        for layer, block in enumerate(model.blocks) for their, our in pairs.items()
    ]  # fmt: skip
    for place, module in places:
        weights[f"{place}.weight"] = module.weight.T if isinstance(module, nn.Linear) else module.weight
        weights[f"{place}.bias"] = module.bias
    missing = theirs.transformer.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys
    assert not [key for key in missing.missing_keys if not key.endswith((".attn.bias", ".attn.masked_bias"))]
    return theirs


def test_a_decoder_equals_gpt2_of_transformers(build):
    model = build(GPT2)
    head = NextToken(
        dim=24,
        vocab_size=37,
        embedding=model.embedding,
        tie_weights=True,
        bias=False,
        scale_states=False,
        init_range=None,
    )
    theirs = gpt2_from(model)
    inputs = torch.randint(37, (2, 11))
    logits = head(model(inputs).states)
    torch.testing.assert_close(logits, theirs(inputs).logits, atol=1e-5, rtol=1e-5)


def test_post_norm_blocks_equal_torch_layers(build):
    overrides = (
        "model=transformer", "model/position=none", "model/norm=layer_norm", "model.norm.bias=true",
        "model/feedforward=relu", "model.feedforward.bias=true", "model.attention.bias=true",
        "model.cross_attention.bias=true", "model.norm_first=false",
    )  # fmt: skip
    model = build(overrides, memory_dim=24)
    theirs = nn.TransformerDecoder(nn.TransformerDecoderLayer(24, 4, 96, 0.0, batch_first=True), 2).eval()
    for block, layer in zip(model.blocks, theirs.layers):
        layer.self_attn.in_proj_weight.data = block.attention.heads.query.weight.data
        layer.self_attn.in_proj_bias.data = block.attention.heads.query.bias.data
        layer.self_attn.out_proj.load_state_dict(block.attention.heads.output.state_dict())
        cross = block.cross_attention.heads
        layer.multihead_attn.in_proj_weight.data = torch.cat((cross.query.weight, cross.key_value.weight))
        layer.multihead_attn.in_proj_bias.data = torch.cat((cross.query.bias, cross.key_value.bias))
        layer.multihead_attn.out_proj.load_state_dict(cross.output.state_dict())
        layer.linear1.load_state_dict(block.feedforward.input.state_dict())
        layer.linear2.load_state_dict(block.feedforward.output.state_dict())
        for norm, branch in zip(
            (layer.norm1, layer.norm2, layer.norm3),
            (block.attention_branch, block.cross_branch, block.feedforward_branch),
        ):
            norm.load_state_dict(branch.norm.state_dict())
    inputs, memory = torch.randint(37, (2, 7)), torch.randn(2, 5, 24)
    causal = nn.Transformer.generate_square_subsequent_mask(7)
    expected = theirs(model.embedding(inputs), memory, tgt_mask=causal, tgt_is_causal=True)
    torch.testing.assert_close(model(inputs, None, Memory(memory)).states, expected, atol=1e-5, rtol=1e-5)


def test_residual_outputs_start_smaller_by_the_root_of_their_number(build):

    block = build(("model=transformer", "model.num_layers=8", "model.dim=64"), noisy=False).blocks[0]
    assert block.attention.heads.query.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.feedforward.output.weight.std().item() == pytest.approx(0.02 / math.sqrt(16), rel=0.05)


def test_more_places_than_the_table_has_are_refused(build):
    model = build(("model=transformer", "model/position=learned", "model.position.max_length=4"))
    with pytest.raises(Mistake, match=r"5 positions, but model\.position\.max_length=4"):
        model(torch.zeros(1, 5, dtype=torch.long))


@pytest.mark.parametrize("model", ["transformer", "recurrent"])
def test_a_conditional_decoder_needs_a_cross_attention(build, model):
    with pytest.raises(Mistake, match=r"model\.cross_attention=null"):
        build((f"model={model}", "~model/attention@model.cross_attention", "+model.cross_attention=null"), memory_dim=5)


def test_dropout_in_training_alone(build):
    model = build(("model=transformer", "model.dropout=0.5"))
    inputs = torch.randint(37, (2, 7))
    assert torch.equal(model(inputs).states, model(inputs).states)
    assert not torch.equal(model.train()(inputs).states, model(inputs).states)
    assert model.blocks[0].attention.dropout == 0.5


def test_the_transformer_of_2017_equals_torch(build):
    """Its attention has no biases, as in the paper's formulas: those of torch are set to zero."""
    overrides = ("model=transformer_base", "model.encoder.attention.num_heads=4", "model.decoder.attention.num_heads=4")
    model = build((*overrides, "model.cross_attention.num_heads=4"))
    options = {"dim_feedforward": 96, "dropout": 0.0, "batch_first": True}
    layers = (nn.TransformerEncoderLayer(24, 4, **options), nn.TransformerDecoderLayer(24, 4, **options))
    encoder, decoder = nn.TransformerEncoder(layers[0], 2), nn.TransformerDecoder(layers[1], 2)
    theirs = nn.Transformer(24, 4, batch_first=True, custom_encoder=encoder, custom_decoder=decoder).eval()
    for name, parameter in theirs.named_parameters():
        if "attn" in name and "bias" in name:
            nn.init.zeros_(parameter)
    for side, blocks in ((encoder, model.encoder.blocks), (decoder, model.decoder.blocks)):
        for layer, block in zip(side.layers, blocks):
            copy_post_norm(layer, block)
    source, target = torch.randint(37, (2, 5)), torch.randint(37, (2, 7))
    embed = [side.position.embed(math.sqrt(24) * side.embedding(ids), torch.arange(ids.shape[1])[None])
             for side, ids in ((model.encoder, source), (model.decoder, target))]  # fmt: skip
    causal = nn.Transformer.generate_square_subsequent_mask(7)
    expected = theirs(*embed, tgt_mask=causal, tgt_is_causal=True)
    torch.testing.assert_close(model.of_pair(source, target).states, expected, atol=1e-5, rtol=1e-5)
    assert model.encoder.embedding.weight is model.decoder.embedding.weight


def copy_post_norm(layer, block):
    """The weights of a block into torch's layer; biases only where the block has them."""
    layer.self_attn.in_proj_weight.data = block.attention.heads.query.weight.data
    layer.self_attn.out_proj.weight.data = block.attention.heads.output.weight.data
    branches = [block.attention_branch, block.feedforward_branch]
    if block.cross_attention is not None:
        cross = block.cross_attention.heads
        layer.multihead_attn.in_proj_weight.data = torch.cat((cross.query.weight, cross.key_value.weight))
        layer.multihead_attn.out_proj.weight.data = cross.output.weight.data
        branches.insert(1, block.cross_branch)
    layer.linear1.load_state_dict(block.feedforward.input.state_dict())
    layer.linear2.load_state_dict(block.feedforward.output.state_dict())
    for number, branch in enumerate(branches, start=1):
        getattr(layer, f"norm{number}").load_state_dict(branch.norm.state_dict())
