"""Models by name: against a small server on this machine that answers as the hub does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import hf_folder
from rung.errors import UsageError
from rung.formats.hub import Reference, is_reference, parse
from support import tiny_vocabulary, write_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:owner/name", Reference("owner/name", None, None)),
        ("hf:owner/name@v1.0", Reference("owner/name", None, "v1.0")),
        ("hf:owner/name@refs/pr/3", Reference("owner/name", None, "refs/pr/3")),
        ("hf:owner/name/a/b.gguf", Reference("owner/name", "a/b.gguf", None)),
        ("hf:owner/name/b.gguf@main", Reference("owner/name", "b.gguf", "main")),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    assert is_reference(text)
    assert is_reference(Path(text))
    assert parse(Path(text)) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["hf:", "hf:name", "hf:/name", "hf:owner/", "hf:o/n@", "hf:o/n/"])
def test_references_of_another_form(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form hf:owner/name"):
        parse(text)


def test_paths_are_no_references() -> None:
    assert not is_reference("models/hf:owner")
    assert not is_reference(Path("owner/name"))


class Hub(BaseHTTPRequestHandler):
    """Answers for the folder `tiny/story` and refuses `tiny/gated`; all else is unknown."""

    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *arguments: Any) -> None:
        """Keeps stderr clean."""

    def _answer(self, *, body: bool) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._describe(parts[2:], body)
        elif parts[:2] == ["tiny", "story"] and parts[2] == "resolve":
            self._file("/".join(parts[4:]), body)
        else:
            self._refuse(404, "EntryNotFound")

    def _describe(self, parts: list[str], body: bool) -> None:
        name, revision = "/".join(parts[:2]), "/".join(parts[3:])
        if name == "tiny/gated":
            self._refuse(403, "GatedRepo")
        elif name != "tiny/story":
            self._refuse(404, "RepoNotFound")
        elif revision not in ("", "main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            listed = parts[2:3] == ["tree"]
            answer = self._tree() if listed else self._model(name)
            self._send(json.dumps(answer).encode(), "application/json", body)

    def _model(self, name: str) -> dict[str, Any]:
        """What huggingface-hub before 1.0 takes the names of the files from."""
        siblings = [{"rfilename": entry["path"]} for entry in self._tree()]
        return {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}

    def _tree(self) -> list[dict[str, Any]]:
        """What later versions take them from."""
        files = sorted(path for path in self.folder.rglob("*.*") if path.is_file())
        return [
            {
                "type": "file",
                "path": file.relative_to(self.folder).as_posix(),
                "size": file.stat().st_size,
                "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            }
            for file in files
        ]

    def _file(self, name: str, body: bool) -> None:
        self.asked.append(f"{self.command} {name}")
        path = self.folder / name
        if path.is_file():
            self._send(path.read_bytes(), "application/octet-stream", body)
        else:
            self._refuse(404, "EntryNotFound")

    def _send(self, data: bytes, kind: str, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process whose hub is this server, with an empty cache."""
    Hub.folder = hf_folder.write_folder(tmp_path / "served", hf_folder.llama(), shards=2)
    Hub.asked = []
    (Hub.folder / "pytorch_model.bin").write_bytes(b"not wanted")
    (Hub.folder / "consolidated.safetensors").write_bytes(b"not wanted")
    for name in ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b.gguf"):
        (Hub.folder / name).write_bytes(b"GGUF, but not really")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    yield environment | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
    }
    server.shutdown()
    thread.join()
    server.server_close()


def _rung(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rung", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


_RESOLVE = """
import json, sys
from rung.errors import RungError
from rung.formats import hub
for reference in sys.argv[1:]:
    try:
        print(json.dumps(str(hub.download(reference))))
    except RungError as error:
        print(json.dumps(f"error: {error}"))
"""


def _downloaded(environment: dict[str, str], *references: str) -> list[str]:
    """The path, or the error, of each reference."""
    command = [sys.executable, "-c", _RESOLVE, *references]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_generate_from_the_hub_and_again_from_the_cache(
    hub: dict[str, str], tmp_path: Path
) -> None:
    tokenizer = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    options = ("-p", "the", "-n", 5, "--temperature", 0, "--tokenizer", tokenizer, "-q")
    first = _rung(hub, "generate", "hf:tiny/story", *options)
    assert first.returncode == 0, first.stderr
    fetched = {line.split()[1] for line in Hub.asked if line.startswith("GET")}
    assert fetched == {
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }
    Hub.asked.clear()
    again = _rung(hub | {"HF_HUB_OFFLINE": "1"}, "generate", "hf:tiny/story", *options)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert Hub.asked == []


def test_files_revisions_and_errors(hub: dict[str, str]) -> None:
    paths = _downloaded(
        hub,
        f"hf:tiny/story/b.gguf@{COMMIT}",
        "hf:tiny/story/a-00001-of-00002.gguf",
        "hf:tiny/story/c.gguf",
        "hf:tiny/story@v9",
        "hf:tiny/nothing",
        "hf:tiny/gated",
        "hf:tiny/-..-",
    )
    assert Path(paths[0]).read_bytes() == b"GGUF, but not really"
    assert Path(paths[1]).with_name("a-00002-of-00002.gguf").exists()
    assert paths[2] == "error: hf:tiny/story/c.gguf: this repository has no such file"
    assert paths[3] == "error: hf:tiny/story@v9: this model has no revision v9"
    assert paths[4].startswith("error: hf:tiny/nothing: the hub has no such model, or it is priv")
    assert paths[5].startswith("error: hf:tiny/gated: gated: accept its terms on the hub's page")
    assert paths[6] == "error: hf:tiny/-..-: not a name that the hub allows"
    assert not any("safetensors" in line for line in Hub.asked)


def test_a_repository_without_configuration(hub: dict[str, str]) -> None:
    (Hub.folder / "config.json").unlink()
    [message] = _downloaded(hub, "hf:tiny/story")
    assert message.endswith(
        "this repository has no config.json; a GGUF file is named as hf:tiny/story/FILE.gguf"
    )


def test_no_network_and_nothing_in_the_cache(hub: dict[str, str]) -> None:
    expected = "hf:tiny/story: the hub cannot be reached, and the cache does not hold this model"
    for offline in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        result = _rung(hub | offline, "info", "hf:tiny/story")
        assert result.returncode == 1
        assert result.stderr == f"rung: error: {expected}\n"
