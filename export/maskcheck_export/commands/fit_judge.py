"""``maskcheck-export fit-judge``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from maskcheck_export.commands.log import report
from maskcheck_export.commands.prepare import require_export


@click.command("fit-judge")
@click.argument("detector")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--portraits",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of pictures of one face each, without boxes; may be repeated.",
)
@click.option(
    "--leave-out",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Leave out the pictures whose file names are in this file, a name on each line: those of a benchmark.",
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--folds", default=4, type=click.IntRange(2, 20), help="Number of parts of the cross-validation.")
@click.option(
    "--near-duplicates",
    default=20,
    type=click.IntRange(0, 256),
    help="Most bits in which the 256-bit hashes of near-duplicates differ.",
)
@click.option("--about-data", default=None, help="Description of the pictures, for the file.")
def fit_judge(
    detector: str,
    data: Path,
    portraits: tuple[Path, ...],
    leave_out: Path | None,
    output: Path,
    folds: int,
    near_duplicates: int,
    about_data: str | None,
) -> None:
    """Fit the judge of DETECTOR on DATA, a folder of annotated pictures in COCO form.

    The judge scores what the detector proposes by how it looks. First, each preset is scored by cross-validation, with
    near-duplicates in one part; then the judge is fitted on all pictures and written. The package of the detector holds
    it as judge.npz.
    """
    require_export()
    from maskcheck.evaluation.coco import read_coco
    from maskcheck.evaluation.face_sizes import ALL, LARGE
    from maskcheck.pictures.formats import SUFFIXES
    from maskcheck_export.data.duplicates import hash_pictures
    from maskcheck_export.judge_fitting.cross_validation import cross_validate, group
    from maskcheck_export.judge_fitting.fitting import fit
    from maskcheck_export.judge_fitting.proposals import ENLARGED, collect, collect_portraits, proposers
    from maskcheck_export.writing.provenance import code_commit
    from maskcheck_export.writing.whole_files import replacing

    presets, default = proposers(detector)
    annotated = read_coco(data)
    hashes = hash_pictures([picture.path for picture in annotated.pictures])
    for line in annotated.skipped + tuple(hashes.unreadable.values()):
        report(f"skipped: {line}")
    left_out = set(leave_out.read_text(encoding="utf-8").split("\n")) if leave_out else set()
    pictures = [
        picture for picture in annotated.pictures if picture.path in hashes.of and picture.path.name not in left_out
    ]
    proposals = {}
    for preset, proposer in presets.items():
        report(f"{preset}: collecting proposals in {len(pictures)} pictures")
        proposals[preset] = collect(pictures, proposer)
    report(f"{default}: collecting proposals in the pictures enlarged by {ENLARGED:g}")
    others = collect(pictures, presets[default], enlarge=ENLARGED)
    paths = [path for folder in portraits for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    of_portraits = collect_portraits(paths, presets[default])
    report(f"{default}: OpenCV's cascade finds a face in {len(of_portraits)} of {len(paths)} portraits")
    others += of_portraits
    groups = group(pictures, hashes, distance=near_duplicates)
    for preset, scores in cross_validate(pictures, groups, proposals, others, folds=folds, report=report).items():
        every, large = scores[ALL], scores[LARGE]
        click.echo(
            f"{preset}: AP50 {every.ap50:.3f}, recall {every.recall:.3f}"
            f" (faces of 24 px or more: {large.ap50:.3f}, {large.recall:.3f}),"
            f" best F1 at scores of {every.best_min_score:.2f} or more; {folds}-fold"
        )
    faces = sum(int((~picture.ignored).sum()) for picture in pictures)
    about = (
        f"{len(pictures)} pictures with {faces} faces and {len(paths)} portraits: {about_data or data.name};"
        f" fitted by {code_commit()}"
    )
    judge = fit([*chain(*proposals.values(), others)], about=about)
    with replacing(output) as unfinished:
        unfinished.write_bytes(judge.to_bytes())
    click.echo(f"wrote {output}")
