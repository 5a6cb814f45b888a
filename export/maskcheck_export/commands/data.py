"""``maskcheck-export data``."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from maskcheck_export.commands.prepare import require_export

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--label", "labels", multiple=True, default=LABELS, help="A label; repeat.")
@click.option(
    "--near-duplicates",
    "distance",
    default=20,
    type=click.IntRange(0, 64),
    help="Most bits in which the 256-bit hashes of near-duplicate pictures differ.",
)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write everything there, all pairs too.")
def data(folders: tuple[Path, ...], labels: tuple[str, ...], distance: int, output: Path | None) -> None:
    """Look at the labelled faces in FOLDERS: counts, sizes, unreadable files, near-duplicates.

    A folder holds either annotations.json (COCO boxes) beside images/, or a folder of pictures for each label.
    """
    require_export()
    from maskcheck_export.data.inventory import QUANTILES, take_inventory
    from maskcheck_export.data.listing import list_samples
    from maskcheck_export.data.samples import FACE_SIZES

    found = take_inventory([list_samples(folder, labels) for folder in folders], distance=distance)
    console = Console()
    sizes = [
        f"< {FACE_SIZES[0]}",
        *(f"{low} to {high}" for low, high in pairwise(FACE_SIZES)),
        f"{FACE_SIZES[-1]} up",
    ]
    rows = [(label, [str(one.faces.get(label, 0)) for one in found.datasets]) for label in labels]
    rows += [("pictures", [str(one.pictures) for one in found.datasets])]
    rows += [(f"faces {size} px", [str(one.face_sizes[i]) for one in found.datasets]) for i, size in enumerate(sizes)]
    shares = ", ".join(f"{share:.0%}" for share in QUANTILES)
    rows += [
        (f"face, shorter side in px at {shares}", [_numbers(one.face_quantiles) for one in found.datasets]),
        (f"picture, longer side in px at {shares}", [_numbers(one.picture_quantiles) for one in found.datasets]),
        ("groups of near-duplicates", [f"{one.groups} (largest {one.largest_group})" for one in found.datasets]),
    ]
    table = Table("", *(one.name for one in found.datasets))
    for name, cells in rows:
        table.add_row(name, *cells)
    console.print(table)
    for names, count in found.near_duplicates.items():
        click.echo(f"near-duplicate pairs in {names}: {count}")
    if found.disagreeing:
        click.echo(f"near-duplicate pairs with different labels: {len(found.disagreeing)}; the first:")
        for one, other in found.disagreeing[:5]:
            click.echo(f"  {one}  {other}")
    click.echo(f"skipped: {len(found.skipped)}")
    for line in found.skipped:
        click.echo(f"  {line}")
    if output:
        output.write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)
