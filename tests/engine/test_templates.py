"""Chat templates as token ids: what is kept of answers, and what has no place in a template."""

from __future__ import annotations

import pytest
from test_chat import prompt_of, text_of

from engine_fakes import BOS, EOS, FIRST_BYTE, ByteTokenizer, FakeRunner, fake_model, says
from rung.engine.templates import LLAMA2, JinjaTemplate, PastTurn, template_for
from rung.errors import FormatError, UsageError
from rung.tokenizers import open_tokenizer
from rung.tokenizers.rendering import TemplateError, read_template
from vocabularies import byte_level_library

TOKENIZER = ByteTokenizer()
PLAIN = (
    "{% for m in messages %}{{ m.role }}:{{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}assistant:"
)
THOUGHTLESS = PLAIN.replace("m.content }}", "m.content.split('</think>')[-1] }}")


def jinja(source: str) -> JinjaTemplate:
    return JinjaTemplate(source, name="the template")


def test_answers_keep_their_tokens():
    # 300 is a row beyond the vocabulary: it has no text, so only kept tokens can hold it.
    turn = PastTurn("one", "A", [FIRST_BYTE + 65, 300])
    ids = jinja(PLAIN).prompt(TOKENIZER, [turn], "two", system="S")
    assert 300 in ids
    kept = [token for token in ids if token != 300]
    assert text_of(kept) == "<s>system:S\nuser:one\nassistant:A</s>\nuser:two\nassistant:"


def test_white_space_of_an_answer_is_there_as_the_template_says():
    trimmed = PLAIN.replace("m.content }}", "m.content | trim }}")
    spaced = PLAIN.replace("m.content }}", "' ' + m.content | trim + ' ' }}")
    turn = PastTurn("one", " A ", [*TOKENIZER.encode(" A ", bos=False), 300])
    ids = jinja(trimmed).prompt(TOKENIZER, [turn], "two", system=None)
    assert text_of(ids) == "<s>user:one\nassistant:A</s>\nuser:two\nassistant:"
    ids = jinja(spaced).prompt(TOKENIZER, [turn], "two", system=None)
    assert 300 in ids  # the tokens are kept, for the template puts spaces where they have them
    kept = [token for token in ids if token != 300]
    assert text_of(kept) == "<s>user: one \nassistant: A </s>\nuser: two \nassistant:"


def test_answers_that_the_template_changes_are_read_as_it_writes_them():
    turn = PastTurn("one", "<think>hm</think>A", [FIRST_BYTE + 65, 300])
    ids = jinja(THOUGHTLESS).prompt(TOKENIZER, [turn], "two", system=None)
    assert text_of(ids) == "<s>user:one\nassistant:A</s>\nuser:two\nassistant:"


def test_bos_is_there_once():
    for source in ("{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}"):
        assert jinja(source).prompt(TOKENIZER, [], "x", system=None) == [BOS, FIRST_BYTE + 120]


def test_a_tokenizer_that_cannot_go_on_reads_all_of_the_text_anew():
    class Separate(ByteTokenizer):
        joins = False

    turn = PastTurn("one", "A", [FIRST_BYTE + 65, 300])
    assert 300 not in jinja("{% for m in messages %}{{ m.content }}.{% endfor %}").prompt(
        Separate(), [turn], "two", system=None
    )
    assert 300 in jinja(PLAIN).prompt(Separate(), [turn], "two", system=None)  # EOS comes first


@pytest.mark.parametrize(
    "source",
    [
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + PLAIN,
        "{% for m in messages if m.role != 'system' %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
        "assistant:",
    ],
)
def test_a_system_prompt_without_a_place_goes_before_the_first_message(source):
    template = jinja(source)
    assert template.text(TOKENIZER, [], "one", system="S") == "user:S\n\none\nassistant:"
    text = template.text(TOKENIZER, [PastTurn("one", "A", [])], "two", system="S")
    assert text.startswith("user:S\n\none\nassistant:A")
    assert text.endswith("user:two\nassistant:")


def test_a_refused_conversation_is_an_error():
    with pytest.raises(TemplateError, match="the template refuses this conversation: never"):
        jinja("{{ raise_exception('never') }}").prompt(TOKENIZER, [], "x", system="S")


def test_which_template_is_taken(tmp_path):
    assert template_for(TOKENIZER) is LLAMA2
    assert template_for(TOKENIZER, LLAMA2) is LLAMA2
    assert template_for(TOKENIZER, "chatml").stop == ("<|im_end|>",)
    path = tmp_path / "own.jinja"
    path.write_text("{{ messages[0].content }}!")
    chosen = template_for(TOKENIZER, str(path))
    assert text_of(chosen.prompt(TOKENIZER, [], "x", system=None)) == "<s>x!"
    own = ByteTokenizer()
    own.chat_template = PLAIN
    assert text_of(template_for(own).prompt(own, [], "x", system=None)).endswith("assistant:")
    own.chat_template, own.default_template = None, None
    with pytest.raises(UsageError, match=r"no chat template.*--chat-template \(chatml, "):
        template_for(own)
    with pytest.raises(UsageError, match="no chat template 'nope'"):
        template_for(own, "nope")


def test_the_llama2_template_as_text_and_as_turns_say_the_same():
    turn = PastTurn("one", " A ", TOKENIZER.encode(" A ", bos=False))
    as_text = jinja(read_template("llama2"))
    for turns in ([], [turn]):
        expected = LLAMA2.prompt(TOKENIZER, turns, "two", system="S")
        assert as_text.prompt(TOKENIZER, turns, "two", system="S") == expected


def test_ids_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_object=byte_level_library(), bos_token="<|begin|>", eos_token="<|eot_id|>"
    )
    theirs.chat_template = read_template("llama3")
    theirs.save_pretrained(tmp_path)
    mine = open_tokenizer(tmp_path)
    tokens = mine.encode("Hello, wörld!", bos=False)
    turn = PastTurn("Hi <|eot_id|>", "Hello, wörld!", tokens)
    said = [("system", "S"), ("user", turn.user), ("assistant", turn.answer), ("user", "日本?")]
    messages = [{"role": role, "content": content} for role, content in said]
    expected = theirs.apply_chat_template(messages, add_generation_prompt=True)
    assert template_for(mine).prompt(mine, [turn], "日本?", system="S") == expected


def test_a_conversation_is_read_once():
    n_first = 1 + len("user:one\nassistant:")
    runner = FakeRunner(context_length=400, next_token=says("Hello", after=n_first))
    chat = fake_model(runner).chat(template=jinja(PLAIN))
    assert chat.ask("one").complete().text == "Hello"
    answer = chat.ask("two")
    assert prompt_of(answer) == "<s>user:one\nassistant:Hello</s>\nuser:two\nassistant:"
    assert answer.usage.cached_tokens == n_first + len("Hello")


def test_a_builtin_template_ends_answers_at_its_mark():
    start = len("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n") + 1
    runner = FakeRunner(context_length=200, next_token=says("Hi<|im_end|>more", after=start))
    assert fake_model(runner).chat(template="chatml").ask("q").complete().text == "Hi"


def test_saving_and_loading(tmp_path):
    runner = FakeRunner(context_length=400, next_token=lambda h: 70 if h[-1] != 70 else EOS)
    chat = fake_model(runner).chat(system="S")
    chat.ask("one").complete()
    path = tmp_path / "talk.json"
    chat.save(path)
    assert chat.messages() == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "C"},
    ]
    other = fake_model(FakeRunner(context_length=400, next_token=lambda h: EOS)).chat()
    other.load(path)
    assert other.messages() == chat.messages()
    assert prompt_of(other.ask("two")) == prompt_of(chat.ask("two"))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "content is not JSON"),
        ("[]", "rung_chat is missing"),
        ('{"rung_chat": 2}', "rung_chat is missing or another version, expected 1"),
        ('{"rung_chat": 1, "messages": [{"role": "user"}]}', "messages is something else"),
    ],
)
def test_a_file_that_is_no_conversation(tmp_path, content, message):
    path = tmp_path / "talk.json"
    path.write_text(content)
    chat = fake_model().chat()
    with pytest.raises(FormatError, match=message):
        chat.load(path)


def test_messages_must_take_turns():
    chat = fake_model().chat(system="kept")
    with pytest.raises(UsageError, match="found user, user"):
        chat.restore([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
    assert chat.system == "kept"
