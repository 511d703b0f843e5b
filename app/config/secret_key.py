"""Recognises secret keys that nobody drew at random: repeats, sequences, and the placeholders of examples."""

import re

MIN_LENGTH = 16
# What has to be left of a key, without its words and sequences. A random key of 16 hexadecimal digits has about ten
# different ones; one in a million has fewer than five.
MIN_REST_LENGTH, MIN_REST_CHARACTERS = 7, 5
MIN_SEQUENCE_LENGTH = 3
# The time that the search for repeats takes grows with the square of the length.
MAX_CHECKED_LENGTH = 256

PLACEHOLDER_WORDS = (
    "abcd|acme|admin|aws|babe|beef|cafe|change|changed|changeit|character|characters|cookie|dead|"
    "default|demo|dev|development|django|dragon|dummy|example|face|fake|feed|fill|fixme|flask|"
    "foobar|foo|bar|baz|foyer|generate|here|hello|hunter|insecure|insert|iloveyou|key|keyboard|"
    "letmein|local|localhost|login|long|lorem|ipsum|master|monkey|must|none|null|pass|passphrase|"
    "password|placeholder|please|private|prod|production|qwerty|random|replace|root|safe|sample|"
    "secret|secure|seller|session|sixteen|some|something|staging|string|super|temp|temporary|test|"
    "testing|tests|this|todo|token|top|trust|undefined|unsafe|user|value|very|welcome|world|xxx|"
    "your|yours"
)
WORDS = re.compile("|".join(sorted(PLACEHOLDER_WORDS.split("|"), key=len, reverse=True)))
LOOK_ALIKES = str.maketrans("0134578@$!", "oieastbasi")
REPEATS = re.compile(r"(.+?)\1+")
ROWS = ("0123456789012", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y7u8i9o0p")
COLUMNS = ("1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujmikolp")
SEQUENCES = [direction for row in (*ROWS, *COLUMNS) for direction in (row, row[::-1])]


def looks_random(key: str) -> bool:
    """Return whether enough of the key is neither repeated, nor counted up, nor a word that examples use."""
    text = key[:MAX_CHECKED_LENGTH].lower()
    without_words = "".join(filter(str.isalnum, _remove_words(text)))
    rest = _collapse(without_words)
    # Every other character of 000102030405 and of 1a2b3c4d is a sequence.
    interleaved = _collapse(without_words[::2]) + _collapse(without_words[1::2])
    is_long = min(len(rest), len(interleaved)) >= MIN_REST_LENGTH
    return is_long and len(set(rest)) >= MIN_REST_CHARACTERS and not _is_periodic(text)


def _remove_words(text: str) -> str:
    matches = [*WORDS.finditer(text), *WORDS.finditer(text.translate(LOOK_ALIKES))]
    in_words = {i for match in matches for i in range(*match.span())}
    return "".join(character for i, character in enumerate(text) if i not in in_words)


def _is_periodic(text: str) -> bool:
    return any(text[period:] == text[:-period] for period in range(1, len(text) // 2 + 1))


def _collapse(text: str) -> str:
    return REPEATS.sub(r"\1", _collapse_sequences(REPEATS.sub(r"\1", text)))


def _collapse_sequences(text: str) -> str:
    collapsed, start = "", 0
    while start < len(text):
        end = start + 1
        while end < len(text) and any(text[start : end + 1] in sequence for sequence in SEQUENCES):
            end += 1
        collapsed += text[start]
        start = end if end - start >= MIN_SEQUENCE_LENGTH else start + 1
    return collapsed
