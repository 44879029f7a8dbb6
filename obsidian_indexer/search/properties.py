"""Whether a property meets a condition: `[status:Draft OR Done]`, `[rating:>3]`, `[due:null]`, `[done:TRUE]`."""

from __future__ import annotations

from obsidian_indexer.search.segments import Clock
from obsidian_indexer.search.syntax.tree import All, Case, Compared, Node, Not, Pattern, Phrase, Some, Word
from obsidian_indexer.store.rows import fold, to_json

_NULLS = frozenset({"null", "EMPTY"})


def name_holds(node: Node, name: str, clock: Clock) -> bool:
    """Whether a property's name, folded, meets the left side of a condition."""
    match node:
        case Word(text, _) | Phrase(text, _):
            return fold(text) == name
        case Pattern():
            return clock.finds(node, name, cased=False)
        case All(parts):
            return all(name_holds(part, name, clock) for part in parts)
        case Some(parts):
            return any(name_holds(part, name, clock) for part in parts)
        case Not(part):
            return not name_holds(part, name, clock)
        case _:
            return False


def value_holds(node: Node, value: object, clock: Clock, *, cased: bool = False) -> bool:
    """Whether a property's value meets the right side; of a list, any item may. Raises QueryError as `Clock.finds`."""
    match node:
        case All(parts):
            return all(value_holds(part, value, clock, cased=cased) for part in parts)
        case Some(parts):
            return any(value_holds(part, value, clock, cased=cased) for part in parts)
        case Not(part):
            return not value_holds(part, value, clock, cased=cased)
        case Case(matters, part):
            return value_holds(part, value, clock, cased=matters)
        case Word(text, _) if text in _NULLS:
            return value is None
        case Word() | Phrase() | Pattern() | Compared():
            items = value if isinstance(value, list) else [value]
            return any(_item_holds(node, item, clock, cased=cased) for item in items if item is not None)
        case _:
            return False


def _item_holds(node: Word | Phrase | Pattern | Compared, item: object, clock: Clock, *, cased: bool) -> bool:
    text = item if isinstance(item, str) else to_json(item)
    match node:
        case Pattern():
            return clock.finds(node, text, cased=cased)
        case Compared(sign, bound):
            return _compares(sign, item, bound)
        case Word(wanted, _) | Phrase(wanted, _):
            number = None if isinstance(item, bool) or not isinstance(item, int | float) else _number(wanted)
            if number is not None:
                return item == number
            text, wanted = (text, wanted) if cased else (fold(text), fold(wanted))
            return wanted in text if isinstance(node, Word) else wanted == text


def _compares(sign: str, item: object, bound: str) -> bool:
    """Numbers by value; dates and times, as text, up to the precision that is asked for."""
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        return False
    number, limit = _number(item), _number(bound)
    if number is not None and limit is not None:
        return _ordered(sign, (number > limit) - (number < limit))
    text = str(item).strip()[: len(bound)]
    if not (text[:1].isdecimal() and bound[:1].isdecimal()):
        return False
    return _ordered(sign, (text > bound) - (text < bound))


def _ordered(sign: str, order: int) -> bool:
    return {">": order > 0, "<": order < 0, ">=": order >= 0, "<=": order <= 0}[sign]


def _number(value: float | str) -> float | None:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
