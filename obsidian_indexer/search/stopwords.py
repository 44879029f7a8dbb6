"""Words of a question that rank nothing: nearly every note holds them, or only questions do."""

from __future__ import annotations

from obsidian_indexer.store.particles import PARTICLES, without_particle

# Words that nearly every English note holds: they rank nothing and cost a look at every row.
_ENGLISH = frozenset(
    """
    a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on or
    our should so that the their them then there these they this to was we were what when where which who why will
    with would you your
    """.split()  # noqa: SIM905 - eighty quoted words are harder to read
)
_KOREAN = frozenset("누가 왜 몇 다음 위해 위한 대해 대한 관한 통해 따르면 있는 있다 있나요 하는".split())  # noqa: SIM905
# Whatever follows, as in 무엇인가요: no other word begins like these.
_KOREAN_STARTS = ("무엇", "무슨", "어떤", "어떻", "어디", "언제", "누구", "얼마", "어느")


def is_stop_word(run: str, unspaced: bool) -> bool:
    """Whether a word, folded as `store.terms` does, tells nothing of what is sought, as a bare particle does."""
    if not unspaced:
        return run in _ENGLISH
    return run in PARTICLES or run.startswith(_KOREAN_STARTS) or run in _KOREAN or without_particle(run) in _KOREAN
