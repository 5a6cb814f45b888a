"""``maskcheck detectors``: which detectors there are, and which plugins failed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.options import json_flag

if TYPE_CHECKING:
    from maskcheck.detectors.spec import DetectorSpec


@click.command(short_help="List the detectors that are installed, or one's options.")
@click.argument("name", required=False)
@click.option("--no-import", is_flag=True, help="List installed plugins by their metadata; run nothing of theirs.")
@json_flag
def detectors(name: str | None, no_import: bool, as_json: bool) -> None:
    """List the face detectors that are installed, or the options of the detector NAME.

    NAME is the name of a detector, or distribution:name where two plugins have one of that name.

    Which plugins are loaded, two environment variables say: MASKCHECK_PLUGINS names the distributions that may be,
    MASKCHECK_DISABLE_PLUGINS those that may not (1 for none at all).
    """
    from maskcheck.hosting.registry import default_registry

    registry = default_registry()
    if name is not None:
        if no_import:
            raise click.UsageError("--no-import lists all plugins; the options of one are known only to its code")
        spec = registry.find(name).spec
        click.echo(json.dumps(_describe(spec), indent=2)) if as_json else _print_options(spec)
        return
    if no_import:
        plugins = [asdict(one) for one in registry.plugins()]
        if as_json:
            click.echo(json.dumps({"schema": "maskcheck-plugins/1", "plugins": plugins}, indent=2))
        else:
            _print_list(plugins, []) if plugins else click.echo("no plugin is installed")
        return
    found = [
        {**_describe(one.spec), "name": one.name, "distribution": one.distribution, "version": one.version}
        for one in registry.registered()
    ]
    failed = [asdict(one) for one in registry.failed()]
    if as_json:
        click.echo(json.dumps({"schema": "maskcheck-detectors/1", "detectors": found, "failed": failed}, indent=2))
    else:
        _print_list(found, failed)


def _describe(spec: DetectorSpec) -> dict[str, Any]:
    from maskcheck.hosting.creation import default_min_score

    return {
        "name": spec.name,
        "summary": spec.summary,
        "default_min_score": default_min_score(spec),
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
    }


def _print_list(found: list[dict[str, Any]], failed: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from maskcheck.commands.console import console, plain

    table = Table("detector", "from", "what it is", box=None, pad_edge=False)
    for one in found:
        table.add_row(plain(one["name"]), plain(f"{one['distribution']} {one['version']}"), plain(one["summary"]))
    for one in failed:
        reason = plain(one["reason"], "dim") if one["wanted"] else plain(f"failed: {one['reason']}", "red")
        table.add_row(plain(one["name"]), plain(f"{one['distribution']} {one['version']}"), reason)
    console().print(table)


def _print_options(spec: DetectorSpec) -> None:
    from rich.table import Table

    from maskcheck.commands.console import console, plain

    console().print(plain(f"{spec.name}: {spec.summary}"), end="\n\n")
    table = Table("option", "default", "allowed", "what it does", box=None, pad_edge=False)
    for option in spec.options:
        table.add_row(
            plain(option.name),
            plain("-" if option.default is None else str(option.default)),
            plain(option.allowed),
            plain(option.help),
        )
    console().print(table if spec.options else "It has no options.")
