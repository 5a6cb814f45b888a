"""``maskcheck-export fit-haar``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck_export.commands.prepare import require_export


@click.command("fit-haar")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--portraits",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of pictures of one face each, not marked.",
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--folds", default=4, type=click.IntRange(2, 20), help="Parts of the cross-validation.")
@click.option("--near-duplicates", default=20, type=click.IntRange(0, 256), help="Bits in which hashes may differ.")
@click.option("--about-data", default=None, help="What the pictures are, in words, for the file.")
def fit_haar(
    data: Path, portraits: tuple[Path, ...], output: Path, folds: int, near_duplicates: int, about_data: str | None
) -> None:
    """Fit the judge of the detector haar on DATA, a folder of annotated pictures in COCO form.

    Each preset is scored by cross-validation first, near-duplicates kept together; the file that is written is then
    fitted on all pictures. It belongs to the package as maskcheck/detectors/haar/judge.npz.
    """
    require_export()
    from maskcheck.coco import read_coco
    from maskcheck.detectors.haar.presets import DEFAULT_PRESET, PRESETS
    from maskcheck.images import SUFFIXES
    from maskcheck_export.data.duplicates import hash_pictures
    from maskcheck_export.haar import LARGER, collect, collect_portraits, cross_validate, fit, group
    from maskcheck_export.provenance import code_commit

    def say(line: str) -> None:
        click.echo(line, err=True)

    annotated = read_coco(data)
    hashes = hash_pictures([picture.path for picture in annotated.pictures])
    for line in annotated.skipped + tuple(hashes.unreadable.values()):
        say(f"skipped: {line}")
    pictures = [picture for picture in annotated.pictures if picture.path in hashes.of]
    candidates = {preset: collect(pictures, preset, progress=say) for preset in PRESETS}
    others = collect(pictures, DEFAULT_PRESET, progress=say, enlarge=LARGER)
    paths = [path for folder in portraits for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    others += collect_portraits(paths, DEFAULT_PRESET, progress=say)
    groups = group(pictures, hashes, distance=near_duplicates)
    for preset, scores in cross_validate(pictures, groups, candidates, others, folds=folds, progress=say).items():
        every, large = scores["all"], scores[">= 24 px"]
        click.echo(
            f"{preset}: AP50 {every.ap50:.3f}, recall {every.recall:.3f}"
            f" (faces of 24 px or more: {large.ap50:.3f}, {large.recall:.3f}), {folds}-fold"
        )
    faces = sum(len(picture.boxes) for picture in pictures)
    about = (
        f"{len(pictures)} pictures with {faces} faces and {len(paths)} portraits: {about_data or data.name};"
        f" fitted by {code_commit()}"
    )
    judge = fit([one for ones in (*candidates.values(), others) for one in ones], about=about)
    output.write_bytes(judge.to_bytes())
    click.echo(f"wrote {output}")
