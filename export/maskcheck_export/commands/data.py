"""``maskcheck-export data``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from maskcheck_export.commands.prepare import require_export

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--label", "labels", multiple=True, default=LABELS, help="Count faces of this label; may be repeated.")
@click.option(
    "--near-duplicates",
    "distance",
    default=20,
    type=click.IntRange(0, 64),
    help="Most bits in which the 256-bit hashes of near-duplicates differ.",
)
@click.option(
    "--json",
    "output",
    type=click.Path(path_type=Path),
    help="Write everything to this file, with all pairs of near-duplicates.",
)
def data(folders: tuple[Path, ...], labels: tuple[str, ...], distance: int, output: Path | None) -> None:
    """Count the labelled faces in FOLDERS, and find unreadable files and near-duplicates.

    A folder holds either annotations.json (COCO boxes) beside images/, or a folder of pictures for each label.
    """
    require_export()
    from maskcheck.evaluation.face_sizes import CLASSES
    from maskcheck_export.data.inventory import QUANTILES, take_inventory
    from maskcheck_export.data.listing import list_samples

    inventory = take_inventory([list_samples(folder, labels) for folder in folders], distance=distance)
    datasets = inventory.datasets
    shares = ", ".join(f"{share:.0%}" for share in QUANTILES)
    table = Table("", *(dataset.name for dataset in datasets))
    for label in labels:
        table.add_row(label, *(str(dataset.faces.get(label, 0)) for dataset in datasets))
    table.add_row("pictures", *(str(dataset.pictures) for dataset in datasets))
    for number, name in enumerate(CLASSES):
        table.add_row(f"faces {name}", *(str(dataset.face_sizes[number]) for dataset in datasets))
    table.add_row(f"face, shorter side in px at {shares}", *(_numbers(dataset.face_quantiles) for dataset in datasets))
    table.add_row(
        f"picture, longer side in px at {shares}", *(_numbers(dataset.picture_quantiles) for dataset in datasets)
    )
    table.add_row(
        "groups of near-duplicates", *(f"{dataset.groups} (largest {dataset.largest_group})" for dataset in datasets)
    )
    Console().print(table)
    for names, count in inventory.near_duplicates.items():
        click.echo(f"near-duplicate pairs in {names}: {count}")
    if inventory.disagreeing:
        click.echo(f"near-duplicate pairs with different labels: {len(inventory.disagreeing)}; the first of them:")
        for first, second in inventory.disagreeing[:5]:
            click.echo(f"  {first}  {second}")
    click.echo(f"skipped: {len(inventory.skipped)}")
    for line in inventory.skipped:
        click.echo(f"  {line}")
    if output:
        output.write_text(json.dumps(inventory.to_dict(), indent=1) + "\n", encoding="utf-8")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)
