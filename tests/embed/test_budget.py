"""How large batches grow and shrink, on a memory that only the test moves."""

from __future__ import annotations

from obsidian_indexer.embed.budget import RoomMeter, TokenBudget

PLENTY = 10**9


class ScriptedMemory:
    """A device of so many bytes, where a batch takes a known number of them a token."""

    def __init__(self, allowed: int, held: int, bytes_a_token: int) -> None:
        self.most = allowed
        self.held = held
        self.bytes_a_token = bytes_a_token
        self.batch = 0

    def start(self) -> int:
        return self.held

    def peak(self) -> int:
        return self.held + self.batch * self.bytes_a_token

    def allowed(self) -> int:
        return self.most


def room_after(memory: ScriptedMemory, tokens: int) -> int:
    meter = RoomMeter(memory)
    meter.begin()
    memory.batch = tokens
    meter.end(tokens)
    return meter.room_tokens


def grown(budget: TokenBudget, memory: ScriptedMemory, batches: int = 30) -> int:
    for _ in range(batches):
        budget.went_well(budget.tokens, room_after(memory, budget.tokens))
    return budget.tokens


def test_the_room_is_what_is_left_beside_the_model() -> None:
    memory = ScriptedMemory(allowed=11_000, held=1_000, bytes_a_token=10)
    assert room_after(memory, 100) == 1_000
    assert room_after(memory, 500) == 1_000


def test_no_room_is_known_before_a_batch_nor_from_one_that_took_nothing() -> None:
    memory = ScriptedMemory(allowed=11_000, held=1_000, bytes_a_token=0)
    assert RoomMeter(memory).room_tokens == 0
    assert room_after(memory, 100) == 0


def test_a_budget_doubles_while_memory_has_room_and_keeps_clear_of_its_end() -> None:
    memory = ScriptedMemory(allowed=101_000, held=1_000, bytes_a_token=1)
    tokens = grown(TokenBudget(1_000), memory)
    assert tokens > 50_000
    assert tokens * memory.bytes_a_token < memory.most - memory.held


def test_a_budget_stops_growing_where_larger_batches_gain_nothing() -> None:
    first, second = TokenBudget(1_000), TokenBudget(2_000)
    for budget in (first, second):
        for _ in range(40):
            budget.went_well(budget.tokens, PLENTY)
    assert first.tokens == second.tokens < PLENTY


def test_a_budget_that_was_asked_for_stays() -> None:
    budget = TokenBudget(1_000, fixed=True)
    budget.went_well(1_000, PLENTY)
    assert budget.tokens == 1_000


def test_nothing_grows_where_the_room_is_not_known() -> None:
    budget = TokenBudget(1_000)
    budget.went_well(1_000, 0)
    assert budget.tokens == 1_000


def test_the_last_small_batch_of_a_window_says_nothing() -> None:
    budget = TokenBudget(1_000)
    budget.went_well(200, PLENTY)
    assert budget.tokens == 1_000


def test_an_overflow_halves_and_is_remembered() -> None:
    budget = TokenBudget(1_000)
    assert budget.holds(PLENTY)
    assert not budget.ran_out
    budget.overflowed(1_000)
    assert budget.ran_out
    assert budget.tokens == 500
    assert budget.holds(500)
    assert not budget.holds(501)
    for _ in range(10):
        budget.went_well(500, PLENTY)
    assert budget.tokens == 500
    budget.overflowed(500)
    assert budget.tokens == 250


def test_a_smaller_overflow_counts_and_a_later_larger_one_changes_nothing() -> None:
    budget = TokenBudget(1_000)
    budget.overflowed(400)
    budget.overflowed(1_000)
    assert budget.tokens == 200


def test_even_one_token_is_a_batch() -> None:
    budget = TokenBudget(4)
    budget.overflowed(1)
    assert budget.tokens == 1
