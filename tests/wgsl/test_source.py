"""The liberties of .wgsl files: conditions, included files with words replaced, repeated lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.errors import KernelError
from rung.wgsl.source import expand


def _expanded(folder: Path, text: str, **constants: int) -> str:
    (folder / "main.wgsl").write_text(text)
    body = expand(folder / "main.wgsl", constants, {}, "1").text
    return " ".join(line for line in body.split("\n") if line and not line.startswith("const "))


def test_lines_repeat_with_their_number(tmp_path: Path) -> None:
    text = "#repeat i COUNT\nlet a_i = b[i];\n#end\nend"
    assert _expanded(tmp_path, text, COUNT=2) == "let a_0 = b[0u]; let a_1 = b[1u]; end"
    assert _expanded(tmp_path, text, COUNT=0) == "end"


def test_repeats_nest(tmp_path: Path) -> None:
    text = "#repeat i 2\n#repeat j 2\ns_i_j += x_i;\n#end\n#end"
    assert _expanded(tmp_path, text) == "s_0_0 += x_0; s_0_1 += x_0; s_1_0 += x_1; s_1_1 += x_1;"


def test_repeats_leave_longer_words_alone(tmp_path: Path) -> None:
    assert _expanded(tmp_path, "#repeat i 1\ni_TK = w_in[i];\n#end") == "i_TK = w_in[0u];"


def test_conditions_inside_and_around_repeats(tmp_path: Path) -> None:
    text = "#if ON\n#repeat i 2\n#if !OFF\na_i\n#else\nb_i\n#endif\n#end\n#endif\nend"
    assert _expanded(tmp_path, text, ON=True, OFF=False) == "a_0 a_1 end"
    assert _expanded(tmp_path, text, ON=True, OFF=True) == "b_0 b_1 end"
    assert _expanded(tmp_path, text, ON=False, OFF=True) == "end"


def test_included_conditions_are_of_the_tensor(tmp_path: Path) -> None:
    (tmp_path / "part.wgsl").write_text("#if TENSOR_F16\nhalf TENSOR\n#else\nfull TENSOR_x\n#endif")
    text = '#include "part.wgsl" TENSOR=a\n#include "part.wgsl" TENSOR=b'
    assert _expanded(tmp_path, text, a_F16=True) == "half a full b_x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#repeat i 2\na", ":1: #repeat without #end"),
        ("a\n#end", ":2: #end without #repeat"),
        ("#repeat i UNKNOWN\na\n#end", ":1: UNKNOWN is neither a number nor a constant"),
    ],
)
def test_repeats_that_do_not_match(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        _expanded(tmp_path, text)


def test_what_is_given_comes_when_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "main.wgsl"
    file.write_text("var<storage, read> x_T: array<f32>;\nx_T[given.slot + given.first]", "utf-8")
    source = expand(file, {"D": 8}, {}, "1", ("slot", "first"))
    assert source.variables == (("given", "uniform"), ("x_T", "read"))
    assert "struct Given { slot: u32, first: u32 }" in source.text


def test_equal_constants_of_other_types_are_others(tmp_path: Path) -> None:
    (tmp_path / "main.wgsl").write_text("#if ONE\nend\n#endif")
    found = [expand(tmp_path / "main.wgsl", {"ONE": value}, {}, "1").text for value in (1, True)]
    assert found == ["const ONE: u32 = 1u;\nend", "const ONE: bool = true;\nend"]
    floats = expand(tmp_path / "main.wgsl", {"ONE": 1.0}, {"ONE": True}, "1").text
    assert floats == "const ONE: f32 = 1.0;\nend"
