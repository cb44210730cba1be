"""What identifies a random number, and where a generator keeps its words."""

from __future__ import annotations

# The second counter word is the iteration, the third says what the numbers are for, so that no two uses can overlap.
TRANSITION, STEP_SEARCH, INITIAL_POINT = 0, 1, 2

# Layout of the generator's words: key, counter's lowest word, iteration, purpose, words used, four output words.
STREAM_WORDS = 10
KEY_WORDS = 2
