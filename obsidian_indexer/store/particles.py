"""Korean particles at the end of a word: what `옵시디언에서` is about is `옵시디언`."""

from __future__ import annotations

# Nouns hardly ever end in these.
_CLEAR = """
    은 는 을 를 에 와 에서 에게 으로 까지 부터 보다 처럼 하고 에는 에도 와의 과의 로서 로써 에선 한테 께서 마다 조차
    밖에 이며 라는 이라는 이라고 에게서 으로는 으로의 으로서 으로써 에서는 에서도 에서의 까지의 부터는
""".split()  # noqa: SIM905 - a list of words to be read
# Many nouns do end in these (고양이, 온도), so that more must be left over.
_VAGUE = "이 가 의 과 도 로 만 나 이나 이란 이다 라고 인가 대로 이라".split()  # noqa: SIM905
_LEAST_BEFORE_CLEAR, _LEAST_BEFORE_VAGUE = 1, 3

PARTICLES = frozenset((*_CLEAR, *_VAGUE))
"""Every ending that is taken for a particle."""

_LONGEST = max(map(len, PARTICLES))
_LEAST = dict.fromkeys(_VAGUE, _LEAST_BEFORE_VAGUE) | dict.fromkeys(_CLEAR, _LEAST_BEFORE_CLEAR)


def without_particle(run: str) -> str:
    """A word of Hangul without its particle, the longest one that leaves enough of a word; else the word itself."""
    for length in range(min(_LONGEST, len(run) - 1), 0, -1):
        least = _LEAST.get(run[-length:])
        if least is not None and len(run) - length >= least:
            return run[:-length]
    return run
