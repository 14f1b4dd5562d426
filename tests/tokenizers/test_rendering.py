"""Chat templates as text: as transformers renders them, and what happens to hostile ones."""

from __future__ import annotations

import time

import pytest

from rung.errors import UsageError
from rung.tokenizers.rendering import (
    Renderer,
    TemplateError,
    TemplateRefusedError,
    builtin_templates,
    read_template,
)

MESSAGES = [
    {"role": "system", "content": "Be <kind> & short."},
    {"role": "user", "content": "Hi there"},
    {"role": "assistant", "content": " Hello! "},
    {"role": "user", "content": "日本 'x' \"y\""},
]
VARIABLES = {
    "messages": MESSAGES,
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "tools": None,
    "documents": None,
}
TEMPLATES = [
    "{% for m in messages %}\n  {{ m['role'] }}: {{ m.content | trim }}\n{% endfor %}\nend",
    "{{ bos_token }}{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}",
    "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.content }}"
    "{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.n }}{% if tools is not none %}tools{% endif %}"
    "{% if add_generation_prompt %}>{% endif %}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(messages[1].content.split(' ')[0]) }}",
]


def render(source: str, **options: float) -> str:
    return Renderer(source, name="the template", **options).render(VARIABLES)  # type: ignore[arg-type]


def test_as_transformers_renders_it() -> None:
    chat = pytest.importorskip("transformers.utils.chat_template_utils")
    for source in [*TEMPLATES, *builtin_templates().values()]:
        compiled = chat._compile_jinja_template(source)
        assert render(source) == compiled.render(**VARIABLES), source


def test_the_form_of_each_builtin() -> None:
    rendered = {name: render(source) for name, source in builtin_templates().items()}
    last = "日本 'x' \"y\""
    assert rendered == {
        "chatml": "<|im_start|>system\nBe <kind> & short.<|im_end|>\n<|im_start|>user\nHi there"
        "<|im_end|>\n<|im_start|>assistant\n Hello! <|im_end|>\n<|im_start|>user\n"
        f"{last}<|im_end|>\n<|im_start|>assistant\n",
        "gemma": "<s><start_of_turn>user\nBe <kind> & short.\n\nHi there<end_of_turn>\n"
        "<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user\n"
        f"{last}<end_of_turn>\n<start_of_turn>model\n",
        "llama2": "<s>[INST] <<SYS>>\nBe <kind> & short.\n<</SYS>>\n\nHi there [/INST] Hello! </s>"
        f"<s>[INST] {last} [/INST]",
        "llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe <kind> & short.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\n{last}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "mistral": "<s>[INST] Be <kind> & short.\n\nHi there [/INST] Hello!</s>"
        f"[INST] {last} [/INST]",
        "phi3": "<s><|system|>\nBe <kind> & short.<|end|>\n<|user|>\nHi there<|end|>\n"
        f"<|assistant|>\n Hello! <|end|>\n<|user|>\n{last}<|end|>\n<|assistant|>\n",
        "zephyr": "<|system|>\nBe <kind> & short.</s>\n<|user|>\nHi there</s>\n<|assistant|>\n"
        f" Hello! </s>\n<|user|>\n{last}</s>\n<|assistant|>\n",
    }


def test_a_template_may_refuse_a_conversation() -> None:
    with pytest.raises(TemplateRefusedError, match=r"refuses this conversation: no system role$"):
        render("{{ raise_exception('no system\nrole') }}")


def test_the_time() -> None:
    assert render("{{ strftime_now('%Y') }}") == time.strftime("%Y")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for %}", "the template is wrong: line 1: "),
        ("{{ 1 / 0 }}", "is wrong: ZeroDivisionError"),
        ("{{ messages.nothing.more }}", "is wrong: .*has no attribute 'nothing'"),
        ("{{ ''.__class__.__mro__ }}", "is wrong: .*unsafe"),
        ("{{ messages.append(1) }}", "is wrong: .*'append' of 'list' object is unsafe"),
        ("{% include '/etc/passwd' %}", "is wrong: "),
        ("{{ range(1000000) | list }}", "is wrong: OverflowError: Range too big"),
        ("(" * 5 + "{{" + "(" * 3000 + "1" + ")" * 3000 + "}}", "is wrong: it is nested too deep"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        render(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
        "{% macro f() %}{% for i in range(9999) %}{{ f() }}{% endfor %}{% endmacro %}{{ f() }}",
    ],
)
def test_a_template_that_does_not_end_is_stopped(source: str) -> None:
    start = time.perf_counter()
    with pytest.raises(TemplateError, match=r"was stopped: it took more than 0\.5 s|nested too"):
        render(source, timeout_s=0.5)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10 ** 11 }}",
        "{{ 'a' | center(10 ** 11) }}",
        "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}"
        "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    ],
)
def test_a_template_that_explodes_is_stopped(source: str) -> None:
    with pytest.raises(TemplateError, match=r"more memory|was stopped"):
        render(source)


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(TemplateError, match="makes more than 1,000 characters"):
        render("{% for i in range(9999) %}{{ i }} {% endfor %}", most=1000)


def test_a_renderer_goes_on_after_an_error() -> None:
    renderer = Renderer("{{ 'a' * n }}", name="the template", timeout_s=5)
    assert renderer.render({"n": 3}) == "aaa"
    for wrong in ("x", 10**11):
        with pytest.raises(TemplateError):
            renderer.render({"n": wrong})
    assert renderer.render({"n": 2}) == "aa"


def test_templates_by_name_or_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert read_template("chatml") == builtin_templates()["chatml"]
    path = tmp_path / "my.jinja"
    path.write_text("{{ 1 }}")
    assert read_template(str(path)) == "{{ 1 }}"
    with pytest.raises(UsageError, match="no chat template 'nope': name a file, or one of chatml"):
        read_template("nope")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read_template(str(path))
