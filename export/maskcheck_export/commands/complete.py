"""``maskcheck-export complete``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck_export.commands.log import report
from maskcheck_export.errors import DataError


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--answers",
    "tables",
    multiple=True,
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="table.csv of `maskcheck-export review`, filled in; repeat for several, of other boxes or other people.",
)
@click.option("--overlay", help="Instead of answers: an overlay of the package, as crowd, or a JSON file.")
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="COCO annotation file to write, for the same images/.",
)
@click.option(
    "--write-overlay",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the changes alone to this file: an overlay, which holds no pictures and may be passed on.",
)
@click.option("--about", default=None, help="How the answers were found, for the overlay.")
@click.pass_context
def complete(
    ctx: click.Context,
    /,
    data: Path,
    tables: tuple[Path, ...],
    overlay: str | None,
    output: Path,
    write_overlay: Path | None,
    about: str | None,
) -> None:
    """Complete the annotations of DATA, a folder of annotated pictures in COCO form, by answers or by an overlay.

    The file that is written has added faces, changed labels, and undecided regions with iscrowd: 1, which count neither
    way. Rows without an answer change nothing. Exit status 1 if a part of the overlay does not fit the pictures.
    """
    from maskcheck_export.annotations import overlay as overlays
    from maskcheck_export.annotations.answers import read_table
    from maskcheck_export.annotations.coco_writing import write_coco
    from maskcheck_export.annotations.merging import merge

    if bool(tables) == bool(overlay):
        raise click.UsageError("expected --answers or --overlay, one of them")
    if output.resolve() == (data / "annotations.json").resolve():
        raise DataError(f"{output} holds the annotations as they are; write to another file")
    annotated = overlays.read_annotations(data)
    if overlay:
        changes = overlays.read_overlay(overlay)
    else:
        pictures = {overlays.name_of(picture, data): picture for picture in annotated.pictures}
        answers = [answer for table in tables for answer in read_table(table, annotated.categories, pictures)]
        merged = merge(answers, pictures, about=about or f"reviewed annotations of {data.name}")
        changes = merged.overlay
        for answer, count in sorted(merged.answers.items()):
            click.echo(f"{answer or 'rows without an answer'}: {count}")
        click.echo(f"boxes left out, as another is on the same face: {merged.merged}")
        click.echo(f"boxes undecided, as answers differ: {merged.disagreeing}")
    completed = overlays.apply(changes, annotated, data)
    for line in completed.skipped:
        report(f"skipped: {line}")
    write_coco(completed, data, output, about=changes.about)
    if write_overlay:
        overlays.write_overlay(changes, write_overlay)
    counts = changes.counts()
    click.echo(
        f"wrote {output}: {counts['add']} faces added, {counts['change']} labels changed, {counts['remove']} boxes"
        f" removed, {counts['undecided']} regions undecided"
    )
    ctx.exit(SOMETHING_FAILED if len(completed.skipped) > len(annotated.skipped) else SUCCESS)
