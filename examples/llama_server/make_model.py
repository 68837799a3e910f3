"""Writes a small GGUF model with random weights that follow from a seed; its tokens are bytes.

    pip install gguf numpy
    python examples/llama_server/make_model.py model/model.gguf

It says nothing sensible. It is the smallest thing that llama.cpp loads, answers with and can be wrong by.
"""

import sys

import gguf
import numpy as np

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 32, 2, 2, 64, 256
SPECIAL = ("<unk>", "<s>", "</s>")


def describe(out: gguf.GGUFWriter) -> None:
    """What a reader must know of the network and of its tokens."""
    out.add_name("bytes")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_vocab_size(len(SPECIAL) + 256)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    out.add_tokenizer_model("llama")
    out.add_token_list([*SPECIAL, *(f"<0x{n:02X}>" for n in range(256))])
    out.add_token_scores([0.0] * (len(SPECIAL) + 256))
    out.add_token_types([*kinds, *[gguf.TokenType.BYTE] * 256])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_add_space_prefix(False)


def write(path: str, seed: int = 1) -> None:
    """Write the model of a seed to `path`."""
    draw = np.random.default_rng(seed)
    out = gguf.GGUFWriter(path, "llama")
    describe(out)

    def random(name: str, rows: int, columns: int) -> None:
        out.add_tensor(f"{name}.weight", (draw.normal(size=(rows, columns)) * 0.5).astype(np.float32))

    def ones(name: str) -> None:
        out.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    random("token_embd", len(SPECIAL) + 256, WIDTH)
    random("output", len(SPECIAL) + 256, WIDTH)
    ones("output_norm")
    for layer in (f"blk.{n}" for n in range(LAYERS)):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            random(f"{layer}.{name}", WIDTH, WIDTH)
        random(f"{layer}.ffn_gate", INNER, WIDTH)
        random(f"{layer}.ffn_up", INNER, WIDTH)
        random(f"{layer}.ffn_down", WIDTH, INNER)
        ones(f"{layer}.attn_norm")
        ones(f"{layer}.ffn_norm")
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    write(sys.argv[1])
