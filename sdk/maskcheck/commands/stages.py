"""``maskcheck detectors`` and ``maskcheck classifiers``: what is installed, and which plugins failed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.options import json_flag

if TYPE_CHECKING:
    from maskcheck.hosting.registry import RegisteredStage, StageRegistry
    from maskcheck.stages import StageSpec


@click.command(short_help="List the installed detectors, or the options of one.")
@click.argument("name", required=False)
@click.option("--no-import", is_flag=True, help="List installed plugins by their metadata; none of their code runs.")
@json_flag
def detectors(name: str | None, no_import: bool, as_json: bool) -> None:
    """List the installed face detectors, or the options of the detector NAME.

    NAME is the name of a detector, or distribution:name if two plugins have a detector of that name.

    Two environment variables choose which plugins are loaded: MASKCHECK_PLUGINS names the distributions that may be
    loaded, MASKCHECK_DISABLE_PLUGINS those that may not (1 for none at all).
    """
    from maskcheck.hosting.registry import default_registry

    registry = default_registry()
    if no_import:
        if name is not None:
            raise click.UsageError(
                "--no-import lists all plugins; the options of a detector are known only to its code"
            )
        _list_plugins([asdict(plugin) for plugin in registry.plugins()], as_json)
    elif name is not None:
        _show_options(_describe_detector(registry.find(name)), as_json)
    else:
        _list_stages("detector", registry, [_describe_detector(stage) for stage in registry.registered()], as_json)


@click.command(short_help="List the installed classifiers, or the options of one.")
@click.argument("name", required=False)
@json_flag
def classifiers(name: str | None, as_json: bool) -> None:
    """List the installed classifiers, or the options of the classifier NAME.

    NAME is the name of a classifier, or distribution:name if two plugins have a classifier of that name.
    """
    from maskcheck.hosting.registry import classifier_registry

    registry = classifier_registry()
    if name is not None:
        _show_options(_describe(registry.find(name)), as_json)
    else:
        _list_stages("classifier", registry, [_describe(stage) for stage in registry.registered()], as_json)


def _describe(stage: RegisteredStage[Any], **more: object) -> dict[str, Any]:
    spec: StageSpec = stage.spec
    return {
        "name": stage.name,
        "summary": spec.summary,
        **more,
        "options": [
            {
                "name": option.name,
                "type": option.type.__name__,
                "default": option.default,
                "allowed": option.allowed,
                "help": option.help,
            }
            for option in spec.options
        ],
        "distribution": stage.distribution,
        "version": stage.version,
    }


def _describe_detector(stage: RegisteredStage[Any]) -> dict[str, Any]:
    from maskcheck.hosting.creation import default_min_score

    return _describe(stage, default_min_score=default_min_score(stage.spec))


def _list_plugins(plugins: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"schema": "maskcheck-plugins/1", "plugins": plugins}, indent=2))
    elif plugins:
        _print_table("plugin", plugins, [])
    else:
        click.echo("no plugin is installed")


def _list_stages(kind: str, registry: StageRegistry[Any], stages: list[dict[str, Any]], as_json: bool) -> None:
    failed = [asdict(plugin) for plugin in registry.failed()]
    if as_json:
        click.echo(json.dumps({"schema": f"maskcheck-{kind}s/1", f"{kind}s": stages, "failed": failed}, indent=2))
    else:
        _print_table(kind, stages, failed)


def _print_table(kind: str, rows: list[dict[str, Any]], failed: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from maskcheck.commands.console import console, plain

    table = Table(kind, "from", "what it is", box=None, pad_edge=False)
    for row in rows:
        table.add_row(plain(row["name"]), plain(f"{row['distribution']} {row['version']}"), plain(row["summary"]))
    for row in failed:
        reason = plain(row["reason"], "dim") if row["wanted"] else plain(f"failed: {row['reason']}", "red")
        table.add_row(plain(row["name"]), plain(f"{row['distribution']} {row['version']}"), reason)
    console().print(table)


def _show_options(stage: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(stage, indent=2))
        return
    from rich.table import Table

    from maskcheck.commands.console import console, plain

    console().print(plain(f"{stage['name']}: {stage['summary']}"), end="\n\n")
    table = Table("option", "default", "allowed", "what it does", box=None, pad_edge=False)
    for option in stage["options"]:
        table.add_row(
            plain(option["name"]),
            plain("-" if option["default"] is None else str(option["default"])),
            plain(option["allowed"]),
            plain(option["help"]),
        )
    console().print(table if stage["options"] else "It has no options.")
