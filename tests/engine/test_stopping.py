"""Stop strings: the same cut however the text arrives, and nothing held back without need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.engine.stopping import StopText
from rung.errors import UsageError

# Two letters, so that stops begin, overlap and nest often.
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)
PIECES = st.lists(st.text("ab", max_size=5), max_size=12)


def cut(text, stops):
    """The text before the match that ends first, by looking at every end."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)], True
    return text, False


@given(PIECES, STOPS)
def test_streaming_equals_a_direct_search(pieces, stops):
    stream = StopText(stops)
    passed = "".join([stream.push(piece) for piece in pieces]) + stream.flush()
    assert (passed, stream.stopped) == cut("".join(pieces), stops)


@given(PIECES, STOPS)
def test_only_a_possible_beginning_is_held_back(pieces, stops):
    stream = StopText(stops)
    passed = arrived = ""
    for piece in pieces:
        passed += stream.push(piece)
        arrived += piece
        if stream.stopped:
            break
        held = arrived[len(passed) :]
        assert arrived.startswith(passed)
        assert not held or any(stop.startswith(held) for stop in stops)


def test_what_follows_a_stop_is_lost():
    stream = StopText(["##"])
    assert stream.push("one#") == "one"
    assert stream.push("# two") == ""
    assert stream.stopped
    assert stream.push("three") == ""
    assert stream.flush() == ""


def test_an_empty_stop_string_is_refused():
    with pytest.raises(UsageError, match="empty"):
        StopText(["a", ""])
