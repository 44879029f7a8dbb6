"""Who is slowed down by a lower priority: tried in a child process, since nobody may raise it again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a priority of its own")

CHILD = """
import json, os, subprocess, sys, threading
from obsidian_indexer.priority import lower_libraries, lower_process

def nice_of(task=0):
    return os.getpriority(os.PRIO_PROCESS, task)

def in_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(nice_of()))
    thread.start()
    thread.join()
    return found[0]

def in_new_process():
    return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.nice(0))"]))

before = nice_of()
{body}
"""


def answers(body: str) -> Any:
    child = subprocess.run([sys.executable, "-c", CHILD.format(body=body)], capture_output=True, text=True, check=True)
    return json.loads(child.stdout)


def test_a_process_takes_its_threads_and_children_along_and_is_never_raised() -> None:
    assert answers("""
lower_process(7)
lower_process(3)
print(json.dumps([nice_of(), in_new_thread(), in_new_process()]))
""") == [7, 7, 7]


def test_nothing_changes_at_zero() -> None:
    assert answers("lower_process(0); lower_libraries(0); print(json.dumps(nice_of() == before))")


def test_threads_of_libraries_are_lowered_and_those_of_python_are_not() -> None:
    found = answers("""
from tokenizers import Tokenizer, models, pre_tokenizers
os.environ["TOKENIZERS_PARALLELISM"] = "true"
tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.encode_batch(["a b c"] * 1000)  # starts a pool of native threads
go = threading.Event()
mine = threading.Thread(target=go.wait)
mine.start()
lower_libraries(9)
own = {thread.native_id for thread in threading.enumerate()}
tasks = [int(name) for name in os.listdir("/proc/self/task")]
print(json.dumps([
    sorted({nice_of(task) - before for task in tasks if task in own}),
    sorted({nice_of(task) for task in tasks if task not in own}),
]))
go.set()
""")
    assert found == [[0], [9]]
