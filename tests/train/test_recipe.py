"""The built-in model's recipe: its corpus, and all of it at a small size."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

import rung
from rung.formats import open_checkpoint
from rung.tokenizers import open_tokenizer
from rung.train.data.prepare import Options, Vocabulary, prepare
from rung.train.data.sources import Reading, find_sources
from rung.train.run.checkpoints import Run
from rung.train.run.metrics import read_rows

TOOLS = Path(__file__).parents[2] / "tools" / "builtin"
DOCUMENTS = 12


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    import recipe

    monkeypatch.setattr(recipe.corpus, "VALIDATION_DOCUMENTS", DOCUMENTS)
    return recipe


def test_the_corpus_is_what_rung_data_makes_of_the_texts(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = recipe.corpus
    monkeypatch.setattr(corpus, "CHUNK", 5)  # several parts, the last one shorter
    manifest = corpus.write_corpus(tmp_path / "corpus", documents=2 * DOCUMENTS, workers=1)
    for seed, count in (("train", 2 * DOCUMENTS), ("validation", DOCUMENTS)):
        texts = [t for i in range(count) for t in corpus.document_texts(Random(f"{seed}-{i}"))]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (tmp_path / f"{seed}.jsonl").write_text(lines)
    made = prepare(
        find_sources([tmp_path / "train.jsonl"]),
        tmp_path / "made",
        Options(
            reading=Reading(),
            validation_sources=tuple(find_sources([tmp_path / "validation.jsonl"])),
            separator="both",
        ),
        vocabulary=Vocabulary(open_tokenizer(corpus.TOKENIZER), corpus.TOKENIZER),
        progress=lambda *_: None,
    )
    assert manifest.shards == made.shards  # their SHA-256 among it
    assert manifest.tokenizer_sha256 == made.tokenizer_sha256
    assert [source.documents for source in manifest.sources] == [DOCUMENTS, 2 * DOCUMENTS]


def test_a_small_model_is_made_and_goes_on_where_it_stopped(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("sample-every", 0), ("warmup", 1)):
        monkeypatch.setitem(recipe.SMALL, name, value)
    arguments = [str(tmp_path), "--small", "--device", "cpu", "--workers", "1"]
    arguments += ["--documents", "100", "--steps", "3"]
    monkeypatch.setattr(sys, "argv", ["recipe.py", *arguments])
    assert recipe.main() == 0
    rows = read_rows(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]
    package = tmp_path / "package"
    facts = json.loads((package / "facts.json").read_text())
    assert facts["steps"] == 3
    assert facts["tokens_seen"] == 3 * 4 * 512
    assert facts["parameters"] == open_checkpoint(package / "model.bin").config.n_parameters
    full, rounded = (facts[f"validation_loss_{name}"] for name in ("float32", "int8"))
    assert 7 < full < 8
    assert rounded == pytest.approx(full, rel=1e-3)
    logged = read_rows(package / "loss.jsonl")
    assert [row["step"] for row in logged] == [0, 3, 3]
    assert logged[1]["loss"] == pytest.approx(sum(r["loss"] for r in rows if "loss" in r) / 3, 1e-4)
    with rung.load(package / "model.bin") as model:
        assert len(model.generate("Once", max_tokens=4).complete().tokens) == 4

    assert recipe.train(tmp_path, recipe.parse_options()) == 0  # there is nothing left to do
    assert read_rows(tmp_path / "run" / "metrics.jsonl") == rows
    assert Run(tmp_path / "run").last().state.step == 3


def test_a_command_hears_one_request_to_stop(recipe: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(
        "import signal, sys, time\n"
        "heard = []\n"
        "signal.signal(signal.SIGINT, lambda *_: heard.append(1))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "while not heard: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "sys.exit(100 + len(heard))\n"
    )
    main = threading.main_thread().ident
    assert main is not None
    # What runs in a shell's background begins with this signal ignored, and so do its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        for _ in range(3):
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.05)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert recipe.ended([sys.executable, str(script)], None) == 101
    thread.join()
    sleeps = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "time.sleep(60)"
    )
    assert recipe.ended([sys.executable, "-c", sleeps], 2) != 0
    with pytest.raises(KeyboardInterrupt):  # as before
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_missing_library_is_told_before_anything_is_made(
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recipe, "can_draw", lambda: False)
    monkeypatch.setattr(sys, "argv", ["recipe.py", str(tmp_path / "out")])
    assert recipe.main() == 2
    assert 'pip install "rung[plot]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
