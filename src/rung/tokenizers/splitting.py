"""Splitting a text into words before byte-level merging: the patterns that model families name.

A name is that of `tokenizer.ggml.pre` in GGUF files. The patterns are those of the families' own
tokenizers, applied one after the other: each splits what the ones before left into its matches and
what lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer


@dataclass(frozen=True)
class Splitting:
    """How a family splits text, and what its vocabularies share besides.

    whole_words: a word that is a token is that token, whatever the merges would make of it.
    add_bos: BOS begins a text where the file does not say.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    add_bos: bool = False

    def pre_tokenizer(self) -> PreTokenizer:
        """The splits as the library `tokenizers` does them."""
        from tokenizers import Regex
        from tokenizers.pre_tokenizers import Sequence as Steps
        from tokenizers.pre_tokenizers import Split

        splits: Sequence[PreTokenizer] = [
            Split(Regex(pattern), "isolated") for pattern in self.patterns
        ]
        return Steps(list(splits))


_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


def _words(digits: str) -> str:
    """The pattern of cl100k and its many children, which differ in how they group digits."""
    return (
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
    )


def _cased_words(digits: str, contractions: str) -> str:
    """The pattern of o200k: a word ends where a small letter is followed by a capital."""
    capital, small = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    start = r"[^\r\n\p{L}\p{N}]?"
    return (
        rf"{start}{capital}*{small}+{contractions}|{start}{capital}+{small}*{contractions}"
        rf"|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}"
    )


def _ranges(listed: str) -> str:
    """The inside of a character class, from code points and ranges of them in hexadecimal."""
    return "".join(
        "-".join(chr(int(end, 16)) for end in entry.split("-")) for entry in listed.split()
    )


_LLAMA3 = _words(r"\p{N}{1,3}")
_QWEN2 = _words(r"\p{N}")
_DIGITS_APART = (r"\p{N}", _GPT2)
_PUNCTUATION = r"\p{P}\$\+<=>\^~\|"
_CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
# Letters with a case, of all scripts, as DeepSeek's first tokenizer lists them. In hexadecimal, for
# some look like letters of other numbers.
_CASED_LETTERS = _ranges(
    """
    41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386
    388-38A 38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA
    1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57
    1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB
    1FE0-1FEC 1FF2-1FF4
    1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F
    2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F
    A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3
    104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
    """
)
_PUNCTUATED = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + _SPACES
)
_NO_WORD_ENDS = r" ?[^(\s|.,!?…。，、।۔،)]+"

_GPT2_LIKE = Splitting((_GPT2,))
_LLAMA3_LIKE = Splitting((_LLAMA3,), whole_words=True, add_bos=True)
_CL100K_LIKE = Splitting((_LLAMA3,))
_QWEN2_LIKE = Splitting((_QWEN2,))
_DIGITS_APART_LIKE = Splitting(_DIGITS_APART)
_O200K_LIKE = Splitting((_cased_words(r"\p{N}{1,3}", rf"{_CONTRACTIONS}?"),))

SPLITTINGS: dict[str, Splitting] = {
    **dict.fromkeys(
        ("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4"),
        _GPT2_LIKE,
    ),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"),
        _LLAMA3_LIKE,
    ),
    **dict.fromkeys(("dbrx", "smaug-bpe", "chatglm-bpe", "glm4"), _CL100K_LIKE),
    **dict.fromkeys(
        ("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2"), _QWEN2_LIKE
    ),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        _DIGITS_APART_LIKE,
    ),
    **dict.fromkeys(("gpt-4o", "llama4"), _O200K_LIKE),
    "tekken": Splitting((_cased_words(r"\p{N}", ""),), whole_words=True, add_bos=True),
    "qwen35": Splitting(
        (
            rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
            rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_SPACES}",
        )
    ),
    "default": Splitting((f"[{_PUNCTUATION}]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
    "falcon": Splitting((f"[{_PUNCTUATION}`]+", _GPT2, "[0-9][0-9][0-9]")),
    "deepseek-llm": Splitting(
        (
            r"[\r\n]",
            rf"\s?[{_CASED_LETTERS}]+",
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
            r"\s+$",
            _CJK,
            r"\p{N}+",
        )
    ),
    "deepseek-coder": Splitting((r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CJK, r"\p{N}")),
    **dict.fromkeys(
        ("deepseek-v3", "hunyuan-dense"),
        Splitting((r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", _PUNCTUATED)),
    ),
    **dict.fromkeys(("bloom", "poro-chat", "gpt3-finnish"), Splitting((_NO_WORD_ENDS,))),
    "viking": Splitting((_NO_WORD_ENDS, r"\p{N}")),
}
