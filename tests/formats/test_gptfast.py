"""gpt-fast's checkpoints: floats and int8, what lies beside them, and files that mean harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import plain
from mutate import mutate
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import FormatError, RungError
from rung.formats import open_checkpoint
from rung.formats.gptfast.known import KNOWN, Sizes, find_config
from rung.models.config import Rope
from support import tiny_checkpoint

torch = pytest.importorskip("torch")

PARAMS = {"n_heads": 4, "n_kv_heads": 2, "norm_eps": 1e-5, "max_seq_len": 32}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "rope_theta": 500.0,
    "hidden_act": "silu",
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MODEL = tiny_checkpoint(tied_output=False)


def state(dtype: Any = None, *, int8: bool = False) -> dict[str, Any]:
    """The state dict that gpt-fast would have for MODEL."""
    dtype = dtype or torch.float32
    given = {n: torch.from_numpy(w.float32().copy()).to(dtype) for n, w in MODEL.weights.items()}
    names = {
        "attention.wo": "attn_output",
        "feed_forward.w1": "ffn_gate",
        "feed_forward.w2": "ffn_down",
        "feed_forward.w3": "ffn_up",
        "attention_norm": "attn_norm",
        "ffn_norm": "ffn_norm",
    }
    result = {
        "tok_embeddings.weight": given["token_embd.weight"],
        "norm.weight": given["output_norm.weight"],
        "output.weight": given["output.weight"],
    }
    for layer in range(2):
        qkv = [given[f"blk.{layer}.attn_{letter}.weight"] for letter in "qkv"]
        result[f"layers.{layer}.attention.wqkv.weight"] = torch.cat(qkv)
        for theirs, ours in names.items():
            result[f"layers.{layer}.{theirs}.weight"] = given[f"blk.{layer}.{ours}.weight"]
    if int8:
        for name in [n for n, v in result.items() if v.ndim == 2 and "tok_emb" not in n]:
            scales = (result[name].float().abs().amax(1) / 127.5).to(dtype)
            quantised = (result[name].float() / scales[:, None].float()).round().clamp(-128, 127)
            result[name] = quantised.to(torch.int8)
            result[name.replace(".weight", ".scales")] = scales
    return result


def save(folder: Path, tensors: Any, name: str = "model.pth", params: Any = PARAMS) -> Path:
    torch.save(tensors, folder / name)
    if params is not None:
        (folder / "params.json").write_text(json.dumps(params))
    return folder / name


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(torch.float32, "f32"), (torch.bfloat16, "bf16"), (torch.float16, "f16")],
)
def test_floats(tmp_path: Path, dtype: Any, kind: str) -> None:
    path = save(tmp_path, state(dtype))
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == f"gpt-fast ({kind})"
    assert checkpoint.config == MODEL.config
    assert list(checkpoint.weights) == list(MODEL.weights)
    for name, weight in checkpoint.weights.items():
        exact = torch.from_numpy(MODEL.weights[name].float32().copy()).to(dtype).double().numpy()
        assert np.array_equal(weight.float64(), exact), name
        assert weight.type.name == (kind if exact.ndim == 2 else "f32"), name
        assert not weight.planes[0].flags.writeable


def test_int8(tmp_path: Path) -> None:
    tensors = state(torch.bfloat16, int8=True)
    checkpoint = open_checkpoint(save(tmp_path, tensors, "model_int8.pth"))
    assert checkpoint.format == "gpt-fast (bf16, i8)"
    query = checkpoint.weights["blk.1.attn_k.weight"]
    assert query.type.name == "i8"
    expected = tensors["layers.1.attention.wqkv.weight"][16:24].double()
    expected *= tensors["layers.1.attention.wqkv.scales"][16:24, None].double()
    assert np.array_equal(query.float64(), expected.numpy())
    ids = [1, 17, 5, 99, 2, 64]
    reference = plain.logits(checkpoint.config, checkpoint.weights, ids)
    runner = plan_model(checkpoint, threads=1, cache_type="f32")
    result = runner.forward(Batch.one(ids, rows="all"))
    runner.close()
    assert np.abs(result - reference).max() <= 1e-5 * np.abs(reference).max()


def test_parameters_and_order_do_not_matter(tmp_path: Path) -> None:
    tensors = {n: torch.nn.Parameter(v) for n, v in reversed(state().items())}
    checkpoint = open_checkpoint(save(tmp_path, tensors))
    assert list(checkpoint.weights) == list(MODEL.weights)


def test_config_json_goes_first(tmp_path: Path) -> None:
    path = save(tmp_path, state())
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    config = open_checkpoint(path).config
    assert config.rope == Rope(dims=4, base=500.0)
    assert (config.context_length, config.norm_eps, config.tied_output) == (64, 1e-6, False)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"intermediate_size": 25}))
    with pytest.raises(FormatError, match=r"config\.json: model is dim 16, .*hidden_dim 25"):
        open_checkpoint(path)


def test_a_config_json_of_another_kind_of_model(tmp_path: Path) -> None:
    path = save(tmp_path, state())
    gpt2 = {"n_embd": 16, "n_inner": 24, "n_layer": 2, "n_head": 4, "n_positions": 8}
    gpt2 |= {"architectures": ["GPT2LMHeadModel"], "vocab_size": 300}
    (tmp_path / "config.json").write_text(json.dumps(gpt2))
    with pytest.raises(FormatError, match=r"config\.json: model is"):
        open_checkpoint(path)
    sizes = Sizes(16, 2, 24, 16, 300)
    with pytest.raises(FormatError, match=r"model is gpt2, without rotation, expected that of"):
        find_config(path, sizes)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_heads": 3}, r"params\.json: model is n_heads 3 and n_kv_heads 3, expected heads that"),
        ({"n_heads": 4, "n_kv_heads": 4}, "n_heads 4 and n_kv_heads 4"),
        ({}, "n_heads is missing"),
        (PARAMS | {"rope_theta": -1}, "rope base is -1.0"),
        ([], "content is a JSON list"),
        (None, "model is unknown with dim 16, n_layers 2, hidden_dim 24, kv_width 8, vocab_size"),
    ],
)
def test_models_that_nothing_tells(tmp_path: Path, params: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        open_checkpoint(save(tmp_path, state(), params=params))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_known_models_are_told_by_folder(tmp_path: Path, known: Any) -> None:
    folder = tmp_path / f"Meta-{known.name.title()}-chat"
    folder.mkdir()
    config = find_config(folder / "model.pth", known.sizes)
    assert config.rope is not None
    assert (config.n_heads, config.rope.base) == (known.n_heads, known.base)
    assert (config.rope.scaling == "llama3") == known.scaled
    assert config.n_kv_heads * config.head_dim == known.sizes.kv_width
    assert config.context_length == known.context_length


def test_models_of_equal_shapes_need_a_word_more(tmp_path: Path) -> None:
    llama3 = next(known for known in KNOWN if known.name == "llama-3-8b")
    with pytest.raises(FormatError) as caught:
        find_config(tmp_path / "model.pth", llama3.sizes)
    assert "llama-3-8b or llama-3.1-8b, which have the same shapes" in str(caught.value)
    assert "config.json or params.json" in str(caught.value)
    alone = find_config(tmp_path / "model.pth", Sizes(288, 6, 768, 288, 32000))
    assert (alone.n_heads, alone.context_length) == (6, 256)
    (tmp_path / "params.json").write_text('{"n_heads": 32, "n_kv_heads": 8, "rope_theta": 5e5}')
    assert find_config(tmp_path / "model.pth", llama3.sizes).context_length == 8192


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("norm.weight"), "norm.weight is missing, expected of shape [16]"),
        (lambda s: s.pop("tok_embeddings.weight"), "tok_embeddings.weight is missing"),
        (lambda s: s.pop("layers.1.attention.wqkv.weight"), "blk.1.attn_q.weight is missing"),
        (lambda s: s.update({"x.weight": torch.ones(2)}), "x.weight is unknown"),
        (lambda s: s.update({"layers.0.x.weight": torch.ones(2)}), "layers.0.x.weight is unknown"),
        (lambda s: s.update({"layers.7.x.weight": torch.ones(2)}), "layers is 3 with gaps"),
        (lambda s: s.update({"norm.bias": torch.ones(2)}), "norm.bias is unknown"),
        (lambda s: s.update({"norm.weight": torch.ones(15)}), "norm.weight is [15]"),
        (lambda s: s.update({"norm.weight": torch.ones(16).long()}), "norm.weight is int64 [16]"),
        (lambda s: s.update({"norm.weight": 3}), "norm.weight is a int, expected a tensor"),
        (
            lambda s: s.update({"layers.0.attention.wqkv.weight": torch.ones(16, 16)}),
            "rows of layers.0.attention.wqkv.weight is 16",
        ),
        (lambda s: s.update({"output.weight": torch.ones(2, 3).char()}), "output.weight is int8"),
        (lambda s: s.update({"output.scales": torch.ones(300)}), "floats, or an int8 matrix"),
        (lambda s: s.update({"output.scales_and_zeros": torch.ones(3)}), "of int4, expected"),
        (
            lambda s: s.update({"output.weight": torch.ones(1, 1).expand(300, 16)}),
            "output.weight is not laid out row by row",
        ),
        (lambda s: s["output.weight"].__setitem__((3, 4), torch.nan), "output.weight[3, 4] is nan"),
    ],
)
def test_wrong_tensors_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    tensors = state()
    change(tensors)
    with pytest.raises(FormatError) as caught:
        open_checkpoint(save(tmp_path, tensors))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_scales_must_fit(tmp_path: Path) -> None:
    tensors = state(int8=True)
    tensors["output.scales"] = tensors["output.scales"][:-1]
    with pytest.raises(FormatError, match=r"output\.scales is float32 \[299\], expected floats"):
        open_checkpoint(save(tmp_path, tensors))


class Harm:
    """Runs a command when it is unpickled by one who trusts it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch harmed",)


class Allocation:
    """Takes ten gigabytes when it is unpickled by one who trusts it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (10**10,)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Harm(), "pickle is a use of posix system, expected tensors only"),
        (Allocation(), "bytearray, expected tensors only"),
        ([1, 2], "content is a list, expected tensors by name"),
        ({3: 4}, "name of a tensor is 3"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the module of system() has another name")
def test_pickles_that_are_no_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError) as caught:
        open_checkpoint(save(tmp_path, value))
    assert message in str(caught.value)
    assert not (tmp_path / "harmed").exists()


def zip_with(path: Path, pickled: bytes, *, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/version", "3\n")
    return path


@pytest.mark.parametrize(
    ("pickled", "options", "message"),
    [
        (b"\0" * 10**6, {"compression": zipfile.ZIP_DEFLATED}, "data.pkl' is compressed"),
        (b"\0" * (5 << 20), {}, "data.pkl is 5,242,880 bytes, expected at most"),
        (b"\x80\x02garbage", {}, "pickle is damaged ("),
        (pickle.dumps({}, 4)[:-1], {}, "pickle is damaged ("),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", {}, "pickle is a use of STACK_GLOBAL"),
        (b"\x80\x02N.", {}, "content is a NoneType, expected tensors by name"),
        (b"\x80\x02h\x05.", {}, "content is not readable by torch"),
        (b"\x80\x02" + b"(" * 10, {}, "pickle is damaged ("),
    ],
)
def test_hostile_zips(tmp_path: Path, pickled: bytes, options: Any, message: str) -> None:
    path = zip_with(tmp_path / "model.pth", pickled, **options)
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shape_beyond_its_storage(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(70000)}
    path = save(tmp_path, tensors)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    number = b"J" + struct.pack("<i", 70000)
    before, between, after = parts["model/data.pkl"].split(number)  # the storage's, the tensor's
    parts["model/data.pkl"] = before + number + between + b"J" + b"\xff\xff\xff\x7f" + after
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    with pytest.raises(FormatError, match="content is not readable by torch"):
        open_checkpoint(path)


def test_a_zip_with_a_huge_table(tmp_path: Path) -> None:
    path = save(tmp_path, state())
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 1 << 30)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="zip is a table of 1,073,741,824 bytes"):
        open_checkpoint(path)


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, state())
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RungError, match=r'needs torch: pip install "rung\[torch\]"'):
        open_checkpoint(path)


def good_files() -> list[bytes]:
    files = []
    for int8 in (False, True):
        stream = io.BytesIO()
        torch.save(state(int8=int8), stream)
        files.append(stream.getvalue())
    return files


GOOD = good_files()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
@example(seed=214721)  # a part of the zip at an odd address
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    folder = tmp_path_factory.getbasetemp()
    (folder / "params.json").write_text(json.dumps(PARAMS))
    path = folder / "damaged.pth"
    path.write_bytes(mutate(random, random.choice(GOOD), GOOD)[1])
    try:
        checkpoint = open_checkpoint(path)
    except RungError:
        return
    for weight in checkpoint.weights.values():
        assert all(plane.flags.aligned for plane in weight.planes)
        weight.float64()
