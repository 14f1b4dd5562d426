"""What lies beside a tokenizer in a Hugging Face folder: its settings and the chat template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rung.errors import FormatError
from rung.formats.files import opened, read_most

SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "added_tokens.json",
    "chat_template.jinja",
)
"""What lies beside a tokenizer's file, and says which tokens begin and end texts."""

_MAX_BYTES = 1 << 26


class TokenizerFolder:
    """The small files of a folder, each read when it is asked for; a missing one says nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._config = self._json("tokenizer_config.json")
        self._special = self._json("special_tokens_map.json")

    def text(self, name: str) -> str | None:
        """A special token by its name in the settings, such as bos_token."""
        for settings in (self._config, self._special):
            value = settings.get(name)
            if isinstance(value, Mapping):  # an added token with its flags
                value = value.get("content")
            if isinstance(value, str):
                return value
        return None

    def token(self, name: str, ids: Mapping[str, int]) -> int | None:
        """The id of a special token by its name in the settings."""
        text = self.text(name)
        return None if text is None else ids.get(text)

    def flag(self, name: str, *, default: bool) -> bool:
        """A setting that is true or false."""
        value = self._config.get(name)
        return value if isinstance(value, bool) else default

    def eos_ids(self, vocab_size: int) -> frozenset[int]:
        """The ids that generation_config.json says end a text."""
        value = self._json("generation_config.json").get("eos_token_id")
        values = value if isinstance(value, list) else [value]
        return frozenset(
            token
            for token in values
            if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < vocab_size
        )

    def added_tokens(self) -> dict[int, tuple[str, bool]]:
        """Tokens that were added to a tokenizer.model: spelling, and whether it is special."""
        added = {
            token: (text, False)
            for text, token in self._json("added_tokens.json").items()
            if isinstance(token, int)
        }
        listed = self._config.get("added_tokens_decoder")
        for key, value in (listed if isinstance(listed, dict) else {}).items():
            if key.isdecimal() and isinstance(value, dict):
                added[int(key)] = str(value.get("content")), value.get("special") is True
        return added

    def chat_template(self) -> str | None:
        """The chat template: chat_template.jinja, or that of a JSON file."""
        path = self.path / "chat_template.jinja"
        if path.is_file():
            return _text(path, self._read(path))
        for settings in (self._json("chat_template.json"), self._config):
            found = settings.get("chat_template")
            if isinstance(found, list):  # several by name
                named = [entry for entry in found if isinstance(entry, dict)]
                found = next((e.get("template") for e in named if e.get("name") == "default"), None)
            if isinstance(found, str):
                return found
        return None

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            found = json.loads(self._read(path))
        except (ValueError, RecursionError):
            raise FormatError(path, "content", "not JSON", "a JSON object") from None
        return found if isinstance(found, dict) else {}

    def _read(self, path: Path) -> bytes:
        with opened(path, "a tokenizer's settings") as file:
            data = read_most(file, _MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise FormatError(path, "size", f"over {_MAX_BYTES:,} bytes", "a small file")
        return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FormatError(path, "content", "not UTF-8", "text") from None
