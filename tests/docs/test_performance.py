"""The performance page: from made-up rows, and the committed one beside the committed rows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import performance_page
from performance import peers
from performance.page import BEGIN, END, Results, build
from performance.rows import RowError, newest, program, read, slug, weights

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


def decode_row(**changes: Any) -> Row:
    """Decoding at 20 tok/s, half of what the memory allows, beside llama.cpp at 16."""
    return {
        "op": "decode",
        "version": "newest",
        "backend": "cpu",
        "dtype": "q8_0",
        "activations": "int8",
        "shape": "small-1b",
        "tokens": 16,
        "depth": 0,
        "threads": 2,
        "p50": 20.0,
        "read_gb_s": 15.0,
        "limit_gb_s": 30.0,
        "fraction_of_limit": 0.5,
        "machine": "Some CPU",
        "commit": "abc",
        "peer": "llama.cpp 1.0",
        "peer_p50": 16.0,
        "ratio": 1.25,
        "rounds": [[20.0, 16.0], [21.0, 16.5], [15.0, 15.5]],
    } | changes


def linear_row(version: int, **changes: Any) -> Row:
    """A version of linear at one token, ten times as fast as the one below."""
    return {
        "op": "linear",
        "form": "q8_0_q8s",
        "version": version,
        "backend": "cpu",
        "dtype": "q8_0",
        "activations": "q8_s",
        "shape": {"T": 1, "K": 64, "N": 32},
        "threads": 2,
        "copies": 9,
        "samples": 50,
        "p50_s": 10.0 ** -(2 + version),
        "gb_per_s": 1.0,
        "gflop_per_s": 2.0,
        "limited_by": "reading",
        "fraction_of_limit": 0.1 * version,
        "speedup_over_1": 10.0 ** (version - 1),
        "selected": version == 2,
        "machine": "Some CPU",
        "commit": "abc",
    } | changes


def perplexity_row(kind: str, change: float) -> Row:
    """10 with float32 activations."""
    return {
        "op": "perplexity",
        "dtype": kind,
        "shape": "built-in",
        "tokens": 1000,
        "float32": 10.0,
        "int8": 10.0 * (1 + change),
        "change": change,
        "commit": "abc",
    }


def page_of(**files: list[Row]) -> str:
    """The text that these rows make."""
    names = ("kernels", "models", "llama2c", "perplexity", "placing")
    return build(Results(**{name: newest(files.get(name, [])) for name in names})).text


def table_row(text: str, *words: str) -> list[str]:
    """The cells of the only row of a table that holds all words."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    (found,) = (line for line in lines if all(word in line for word in words))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with rows of models and of kernels, and a README.md."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"above\n\n{BEGIN}\nold\n{END}\n\nbelow\n")
    add(tmp_path, "models", decode_row())
    add(tmp_path, "kernels", linear_row(1), linear_row(2))
    return tmp_path


def add(root: Path, name: str, *rows: Row) -> None:
    """Appends rows to a file of results."""
    folder = root / "benchmarks" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def run(root: Path, *words: str) -> int:
    return performance_page.main(["--root", str(root), *words])


def test_the_newest_row_wins() -> None:
    old, new = decode_row(commit="old"), decode_row(commit="new", tokens=64, peer="llama.cpp 2.0")
    others = [
        decode_row(threads=1),
        decode_row(machine="Other CPU"),
        decode_row(dtype="q4_0"),
        decode_row(depth=256),
        decode_row(op="prompt"),
        decode_row(op="prompt", tokens=64),
        decode_row(peer="torch 2.0 bfloat16"),
        decode_row(shape="small-2b"),
        decode_row(activations="float32"),
    ]
    assert newest([old, *others, new]) == [new, *others]


def test_features_and_cache_types_tell_rows_apart_and_older_rows_have_the_defaults() -> None:
    old = decode_row()
    others = [decode_row(features="-amx-tile"), decode_row(cache_type="f32")]
    again = decode_row(features="default", cache_type="f16", instructions=["avx2"])
    assert newest([old, *others, again]) == [again, *others]
    words = [weights(row) for row in (again, *others)]
    assert words == ["q8_0", "q8_0", "q8_0, f32 cache"]
    assert weights(decode_row(dtype="f32", cache_type="f16")).endswith(", f16 cache")


def test_switched_off_features_have_a_table_of_their_own_and_no_picture() -> None:
    full, limited = decode_row(), decode_row(features="avx2", p50=5.0, peer_p50=16.0, ratio=0.31)
    alone = build(Results([], [full], [], [], []))
    page = build(Results([], [full, limited, decode_row(features="none", shape="b")], [], [], []))
    assert page.pictures == alone.pictures
    assert page.readme == alone.readme
    assert "With features switched off" not in alone.text
    assert table_row(page.text, "| avx2 |")[3:] == ["avx2", "abc", "5.0", "20.0", "25%"]
    assert table_row(page.text, "| none |")[-2:] == ["", ""]  # nothing to compare it with


def test_of_kernels_the_version_that_runs_without_some_features_is_told() -> None:
    rows = [linear_row(1), linear_row(2)]
    limited = linear_row(1, features="none", selected=True)
    cells = table_row(page_of(kernels=[*rows, limited]), "| none |")
    assert cells[-4:] == ["q8_0_q8s 1", "1 ms", "q8_0_q8s 2", "100 µs"]
    assert "none" not in page_of(kernels=rows)


def test_of_kernels_shape_and_version_tell_rows_apart() -> None:
    rows = [linear_row(1), linear_row(2), linear_row(1, shape={"T": 128, "K": 64, "N": 32})]
    assert newest(rows) == rows
    again = linear_row(1, shape={"N": 32, "T": 1, "K": 64}, parts_per_thread=4)
    assert newest([*rows, again]) == [again, *rows[1:]]


def test_the_text_says_where_the_other_program_is_faster() -> None:
    slow = decode_row(dtype="q4_k", ratio=0.88, p50=22.0, peer_p50=25.0)
    text = page_of(models=[decode_row(), slow])
    assert "Some CPU, 2 threads: Rung is faster than llama.cpp in 1 of 2 measurements." in text
    assert "**llama.cpp is faster** with small-1b q4_k, decoding (×0.88)." in text
    assert "is faster**" not in page_of(models=[decode_row()])


def test_ratio_rounds_and_both_shares_of_the_limit_are_in_the_table() -> None:
    cells = table_row(page_of(models=[decode_row()]), "small-1b", "2 of 3")
    assert cells[3:] == ["llama.cpp 1.0", "abc", "20.0", "16.0", "**1.25**", "2 of 3", "50%", "40%"]


def test_a_program_with_other_bytes_has_no_share_of_the_limit() -> None:
    row = decode_row(peer="torch 2.0 bfloat16")
    assert program(row) == "PyTorch"
    assert peers.peer_fraction(row) is None
    text = page_of(models=[row])
    assert "PyTorch multiplies weights of a type of its own" in text
    assert "multiplies weights" not in page_of(models=[decode_row()])


def test_machines_have_pictures_of_their_own() -> None:
    rows = [decode_row(), decode_row(machine="Other CPU"), decode_row(threads=1)]
    page = build(Results([], rows, [], [], []))
    names = [picture.name for picture in page.pictures if picture.name.startswith("beside")]
    assert names == [
        "beside-llama.cpp-some-cpu-2.svg",
        "beside-llama.cpp-other-cpu-2.svg",
        "beside-llama.cpp-some-cpu-1.svg",
    ]


def test_a_share_of_the_limit_needs_no_other_program() -> None:
    alone = {key: value for key, value in decode_row().items() if not key.startswith("peer")}
    text = page_of(models=[alone])
    assert "## Beside" not in text
    assert table_row(text, "small-1b", "15.0") == [
        *("small-1b", "q8_0", "decoding", "abc", "20.0", "15.0", "30.0", "50%", "", "")
    ]


def test_the_ladder_shows_speed_ups_shares_and_what_runs() -> None:
    page = build(Results([linear_row(1), linear_row(2)], [], [], [], []))
    (picture,) = page.pictures
    (panel,) = picture.panels
    assert [(g.label, g.bars[0].value, g.bars[0].note) for g in panel.groups] == [
        ("q8_0_q8s 1", 1.0, "×1.00, 10%"),
        ("q8_0_q8s 2 *", 10.0, "×10, 20%"),
    ]
    assert table_row(page.text, "q8_0_q8s 2")[4:] == [
        *("100 µs", "1.0", "2.0", "reading", "20%", "×10", "50")
    ]


def test_a_version_1_that_was_not_timed_is_said() -> None:
    page = build(Results([linear_row(2, speedup_over_1=None)], [], [], [], []))
    (bar,) = page.pictures[0].panels[0].groups[0].bars
    assert (bar.value, bar.note) == (None, "version 1 not timed, 20%")


def test_weights_in_the_cache_and_from_memory_are_pictures_of_their_own() -> None:
    rows = [linear_row(1, copies=1), linear_row(1), linear_row(2)]
    assert newest(rows) == rows
    page = build(Results(rows, [], [], [], []))
    assert [picture.title.partition("weights ")[2] for picture in page.pictures] == [
        "from the cache; Some CPU, 2 threads",
        "from the memory; Some CPU, 2 threads",
    ]
    assert len({picture.name for picture in page.pictures}) == 2


def test_perplexity_names_the_largest_change() -> None:
    rows = [perplexity_row("f32", 0.0), perplexity_row("q8_0", 2e-4), perplexity_row("q4_0", -5e-4)]
    text = page_of(perplexity=rows)
    assert "The largest change is -0.0500%, with q4_0 weights." in text
    assert table_row(text, "| f32 |")[-4:] == ["as float32", "", "", ""]
    tiles = {"bfloat16": 9.999, "bfloat16_change": -1e-4}
    text = page_of(perplexity=[perplexity_row("q8_0", 2e-4) | tiles])
    assert table_row(text, "| q8_0 |")[-2:] == ["9.9990", "-0.0100%"]


def placing_row(**changes: object) -> Row:
    """BLAS by choice, a little slower than the CPU alone."""
    return {
        "op": "placing",
        "shape": "model-f32",
        "dtype": "f32",
        "tokens": 8,
        "threads": 2,
        "machine": "Some CPU",
        "commit": "abc",
        "cpu_s": 0.010,
        "auto_s": 0.0101,
        "blas_s": 0.020,
        "auto_over_faster": 1.01,
        "on_blas": 3,
        "predicted_s": 0.0202,
    } | changes


def test_placing_tells_the_extremes() -> None:
    rows = [placing_row(), placing_row(tokens=32, auto_over_faster=1.5, predicted_s=0.0101)]
    text = page_of(placing=[*rows, placing_row(commit="new", on_blas=4)])
    assert "`auto` takes at most 1.50 times the faster" in text
    assert "predictions are off by 50% on average" in text
    assert table_row(text, "| model-f32 | 8 |")[2:] == [
        *("new", "10 ms", "10.1 ms", "20 ms", "1.01", "4", "2.00"),
    ]


def test_what_is_missing_names_its_command() -> None:
    nothing = page_of()
    for command in (
        "measure.py --only models",
        "measure.py --only ladders",
        "measure.py --only perplexity",
    ):
        assert f"`python benchmarks/{command}` measures it." in nothing
    text = page_of(kernels=[linear_row(1)], models=[decode_row()])
    assert "measure.py --only models`" not in text
    assert "measure.py --only perplexity`" in text


def test_a_written_page_is_up_to_date(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert run(root, "--check") == 1
    assert run(root) == 0
    capsys.readouterr()
    assert run(root, "--check") == 0
    assert capsys.readouterr().out == ""
    readme = (root / "README.md").read_text()
    assert readme.startswith(f"above\n\n{BEGIN}\n![Rung beside llama.cpp")
    assert readme.endswith(f"{END}\n\nbelow\n")
    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    shown = re.findall(r"\]\((performance/[^)]+)\)", text)
    made = [path.relative_to(root / "docs").as_posix() for path in root.glob("docs/*/*")]
    assert sorted(shown) == sorted(made)
    assert len(made) == 3


def test_check_tells_what_is_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    run(root)
    folder = root / "docs" / "performance"
    beside, limit = folder / "beside-llama.cpp-some-cpu-2.svg", folder / "limit-some-cpu-2.svg"

    def stale() -> list[str]:
        capsys.readouterr()
        status = run(root, "--check")
        lines = capsys.readouterr().out.splitlines()
        assert status == (1 if lines else 0)
        return [line.partition(" ")[0] for line in lines]

    beside.write_text(beside.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert stale() == []  # another version of matplotlib would write other bytes as well
    limit.unlink()
    (folder / "old.svg").write_text("")
    assert stale() == ["docs/performance/limit-some-cpu-2.svg", "docs/performance/old.svg"]
    run(root)
    assert stale() == []
    add(root, "models", decode_row(p50=24.0, ratio=1.5))
    assert stale() == [
        "docs/performance.md",
        "docs/performance/beside-llama.cpp-some-cpu-2.svg",
        "docs/performance/limit-some-cpu-2.svg",  # the other program's share is another
    ]
    add(root, "models", decode_row(dtype="q4_0"))
    assert "README.md" in stale()
    run(root)
    assert stale() == []


def test_pictures_are_the_same_bytes_each_time() -> None:
    pytest.importorskip("matplotlib")
    from performance.drawing import svg

    page = build(Results([linear_row(1), linear_row(2)], [decode_row()], [], [], []))
    for picture in page.pictures:
        data = svg(picture)
        assert data == svg(picture)
        assert picture.digest.encode() in data
        texts = {"".join(e.itertext()) for e in ElementTree.fromstring(data).iter()}
        notes = {b.note for p in picture.panels for g in p.groups for b in g.bars}
        assert notes <= texts


@pytest.mark.parametrize("line", ["{", "[]", '{"p50": 1}'])
def test_a_line_that_is_no_row_is_named(
    root: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add(root, "llama2c", decode_row())
    path = root / "benchmarks" / "results" / "llama2c.jsonl"
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(RowError, match="line 2"):
        read(path)
    assert run(root, "--check") == 1
    assert "llama2c.jsonl, line 2: " in capsys.readouterr().err


def test_a_readme_without_marks_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "README.md").write_text("nothing\n")
    assert run(root, "--check") == 1
    assert "README.md has no lines" in capsys.readouterr().err


def test_names_of_files_are_plain() -> None:
    assert slug("AMD Ryzen(TM) 9 / 7950X é", 2) == "amd-ryzen-tm-9-7950x-2"


def test_the_committed_page_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "performance_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
