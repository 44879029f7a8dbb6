"""The command tree, its common options, and the one place where an error becomes a message and an exit code.

Exit codes: 0 done, 1 done with failures (listed) or not all of the output could be written, 2 usage, configuration or
a missing vault, 130 interrupted, 141 the reader of the output left early.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from obsidian_indexer.cli.command import Group
from obsidian_indexer.cli.evaluating import evaluate
from obsidian_indexer.cli.indexing import index, watch
from obsidian_indexer.cli.inspecting import config, parse, status
from obsidian_indexer.cli.interrupt import INTERRUPTED
from obsidian_indexer.cli.searching import search, similar, uri
from obsidian_indexer.cli.session import Composition, Session
from obsidian_indexer.cli.stream import OutputError, complain, flush_output
from obsidian_indexer.cli.tuning import tune
from obsidian_indexer.errors import Cancelled, IndexerError

DONE, WITH_FAILURES, USAGE = 0, 1, 2
# What a shell reports for a program that SIGPIPE ended.
READER_LEFT = 141


@click.group(
    cls=Group,
    name="obsidian-indexer",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="obsidian-indexer", prog_name="obsidian-indexer")
@click.pass_context
def root(ctx: click.Context) -> int | None:
    """Index an Obsidian vault and search it by words and by meaning. Without a command, opens the menu."""
    if ctx.invoked_subcommand is not None:
        return None
    session: Session = ctx.obj
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("The menu needs a terminal. Name a command; --help lists them.")
    return session.composition.run_tui(session.overrides)


for command in (index, search, similar, watch, status, parse, uri, config, tune, evaluate):
    root.add_command(command)


def run(args: Sequence[str], composition: Composition) -> int:
    """Run one command line and return its exit code; errors are said on stderr."""
    return _guarded(lambda: root.main(list(args), standalone_mode=False, obj=Session(composition)))


def _guarded(call: Callable[[], Any]) -> int:
    try:
        code = call()
        flush_output()
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt, Cancelled):
        complain("Interrupted.")
        return INTERRUPTED
    except OutputError as error:
        if error.reader_left:
            return READER_LEFT
        complain(f"Error: The output cannot be written ({error}).")
        return WITH_FAILURES
    except IndexerError as error:
        complain(f"Error: {error}")
        return USAGE
    return code if isinstance(code, int) else DONE
