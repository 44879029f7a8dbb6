"""Commands that all take the same common options, before or after the command's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from obsidian_indexer.cli.stream import writing


def _common_options() -> list[click.Parameter]:
    """The options that every command takes; each also stands before the command."""
    return [
        click.Option(
            ["--vault", "vault__path"],
            type=click.Path(path_type=Path),
            help="The vault; else from the settings, else the folder around this one that holds '.obsidian'.",
        ),
        click.Option(["--data-dir", "vault__data_dir"], type=click.Path(path_type=Path), help="The index folder."),
        click.Option(
            ["--model", "embedding__model"],
            metavar="NAME",
            help="'default', a hub name, a folder, or 'fake' for a trial without weights.",
        ),
        click.Option(
            ["--allow-download", "embedding__allow_download"],
            is_flag=True,
            flag_value=True,
            default=None,
            help="Let a hub model that is not on this machine be fetched.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON on stdout."),
        click.Option(["--quiet"], is_flag=True, help="No progress or notes on stderr, only results and errors."),
    ]


class _TakesCommonOptions(click.Command):
    """Adds the common options and lays them over those given further left."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {name for parameter in self.params for name in parameter.opts}
        # A command may declare one of these itself, with another meaning.
        common = [option for option in _common_options() if not own.intersection(option.opts)]
        self._common = [option.name for option in common if option.name]
        self.params.extend(common)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; what is printed on the way is printed safely."""
        with writing():  # --help and --version print from here
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Lay the common options given here over those before, then run."""
        ctx.obj = ctx.obj.over(**{name: ctx.params.pop(name) for name in self._common})
        return super().invoke(ctx)


class Command(_TakesCommonOptions):
    """A command of the program."""


class Group(_TakesCommonOptions, click.Group):
    """A command with commands below it."""

    command_class = Command


Group.group_class = Group
