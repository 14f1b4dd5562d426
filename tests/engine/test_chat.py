"""Chat: the form of a conversation, what is kept of it, and what the cache saves."""

from __future__ import annotations

import pytest

from engine_fakes import BOS, EOS, ByteTokenizer, FakeRunner, fake_model, says
from rung.engine.templates import LLAMA2
from rung.errors import ContextError, UsageError

TOKENIZER = ByteTokenizer()


def text_of(ids):
    """Ids as text, with the control tokens visible."""
    names = {BOS: "<s>", EOS: "</s>"}
    return "".join(names.get(i) or TOKENIZER.token_bytes(i).decode() for i in ids)


def prompt_of(answer):
    return text_of(answer._sequence.ids[: answer.usage.prompt_tokens])


def test_the_form_of_llama_2():
    opening = LLAMA2.open_turn(TOKENIZER, "Hi", system="Be kind.")
    assert text_of(opening) == "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST]"
    assert text_of(LLAMA2.open_turn(TOKENIZER, "Hi", system=None)) == "<s>[INST] Hi [/INST]"
    assert LLAMA2.close_turn(TOKENIZER) == [EOS]


def test_a_conversation_grows_turn_by_turn_and_is_read_once():
    runner = FakeRunner(context_length=400, next_token=lambda h: 70 if h[-1] != 70 else EOS)
    chat = fake_model(runner).chat(system="S")
    assert chat.ask("one").complete().text == "C"
    answer = chat.ask("two")
    first = "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\none [/INST]C</s>"
    assert prompt_of(answer) == first + "<s>[INST] two [/INST]"
    # Everything was read but EOS, which was sampled and not read, and the new turn.
    assert answer.usage.cached_tokens == len(LLAMA2.open_turn(TOKENIZER, "one", system="S")) + 1


def test_an_interrupted_answer_stays_as_far_as_it_came():
    runner = FakeRunner(context_length=400, next_token=lambda history: 70)
    chat = fake_model(runner).chat()
    answer = chat.ask("one", max_tokens=None)
    while len(answer.tokens) < 3:
        answer.step()
    following = chat.ask("two")
    assert answer.finish_reason == "interrupted"
    assert prompt_of(following) == "<s>[INST] one [/INST]CCC</s><s>[INST] two [/INST]"


def test_a_closed_conversation_gives_its_slot_back_and_goes_on_when_asked():
    model = fake_model(FakeRunner(context_length=400, next_token=lambda h: EOS))
    with model.chat() as chat:
        chat.ask("one").complete()
        with pytest.raises(UsageError, match="slot"):
            model.generate("x")
    model.generate("x", max_tokens=1).complete()
    answer = chat.ask("two")
    assert prompt_of(answer) == "<s>[INST] one [/INST]</s><s>[INST] two [/INST]"
    assert answer.usage.cached_tokens == 0


def test_undo_reset_and_a_new_system_prompt():
    chat = fake_model(FakeRunner(context_length=400, next_token=lambda h: EOS)).chat()
    assert chat.undo() is None
    chat.ask("one").complete()
    chat.ask("two").complete()
    assert chat.undo() == "two"
    assert prompt_of(chat.ask("three")) == "<s>[INST] one [/INST]</s><s>[INST] three [/INST]"
    chat.reset()
    chat.system = "S"
    assert prompt_of(chat.ask("four")).startswith("<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nfour")
    assert chat.n_dropped == 0


def test_the_oldest_turns_are_dropped_and_the_system_prompt_stays():
    runner = FakeRunner(context_length=128, next_token=lambda h: 70 if h[-1] != 70 else EOS)
    chat = fake_model(runner).chat(system="S")
    for i in range(8):
        answer = chat.ask(f"question {i}")
        answer.complete()
        assert answer.usage.prompt_tokens <= 96  # a quarter is left for the answer
        assert prompt_of(answer).startswith("<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nquestion ")
        assert prompt_of(answer).endswith(f"question {i} [/INST]")
    assert chat.n_dropped == 8 - len(chat.turns)
    assert len(chat.turns) == 2


def test_a_single_turn_may_use_the_room_for_the_answer_but_not_more():
    chat = fake_model(FakeRunner(context_length=64)).chat()
    chat.ask("x" * 40, max_tokens=2).complete()
    with pytest.raises(ContextError, match=r"85 tokens.*holds 64"):
        chat.ask("x" * 69)
    assert len(chat.turns) == 1  # the refused one changed nothing
    assert chat.n_dropped == 0


def test_a_template_can_have_stop_strings():
    class Stopping(type(LLAMA2)):
        stop = ("##",)

    n_prompt = len(LLAMA2.open_turn(TOKENIZER, "q", system=None))
    runner = FakeRunner(next_token=says("one##two", after=n_prompt))
    assert fake_model(runner).chat(template=Stopping()).ask("q").complete().text == "one"
