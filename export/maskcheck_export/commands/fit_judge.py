"""``maskcheck-export fit-judge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck_export.commands.prepare import require_export

if TYPE_CHECKING:
    from maskcheck.detectors.judge.judge import Proposer


@click.command("fit-judge")
@click.argument("detector")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--portraits",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of pictures of one face each, not marked.",
)
@click.option(
    "--leave-out",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Fit without the pictures whose file names are in this file, one a line: those that a benchmark is run on.",
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--folds", default=4, type=click.IntRange(2, 20), help="Parts of the cross-validation.")
@click.option("--near-duplicates", default=20, type=click.IntRange(0, 256), help="Bits in which hashes may differ.")
@click.option("--about-data", default=None, help="What the pictures are, in words, for the file.")
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

    The judge scores what the detector proposes by how it looks. Each preset is scored by cross-validation first,
    near-duplicates kept together; the file that is written is then fitted on all pictures. It belongs into the package
    of the detector, as judge.npz.
    """
    require_export()
    from maskcheck.evaluation.coco import read_coco
    from maskcheck.pictures.formats import SUFFIXES
    from maskcheck_export.data.duplicates import hash_pictures
    from maskcheck_export.judge_fitting.fitting import LARGER, collect, collect_portraits, cross_validate, fit, group
    from maskcheck_export.writing.provenance import code_commit

    def say(line: str) -> None:
        click.echo(line, err=True)

    presets, default = _proposers(detector)
    annotated = read_coco(data)
    hashes = hash_pictures([picture.path for picture in annotated.pictures])
    for line in annotated.skipped + tuple(hashes.unreadable.values()):
        say(f"skipped: {line}")
    left_out = set(leave_out.read_text(encoding="utf-8").split("\n")) if leave_out else set()
    pictures = [one for one in annotated.pictures if one.path in hashes.of and one.path.name not in left_out]
    candidates = {}
    for preset, proposer in presets.items():
        say(f"{preset}: looking at {len(pictures)} pictures")
        candidates[preset] = collect(pictures, proposer)
    say(f"{default}: looking at them enlarged by {LARGER:g}")
    others = collect(pictures, presets[default], enlarge=LARGER)
    paths = [path for folder in portraits for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    found = collect_portraits(paths, presets[default])
    say(f"{default}: looked at {len(paths)} portraits; {len(found)} show one face, by OpenCV's own detector")
    others += found
    groups = group(pictures, hashes, distance=near_duplicates)
    for preset, scores in cross_validate(pictures, groups, candidates, others, folds=folds, progress=say).items():
        every, large = scores["all"], scores[">= 24 px"]
        click.echo(
            f"{preset}: AP50 {every.ap50:.3f}, recall {every.recall:.3f}"
            f" (faces of 24 px or more: {large.ap50:.3f}, {large.recall:.3f}),"
            f" best F1 from a score of {every.best_min_score:.2f} on; {folds}-fold"
        )
    faces = sum(len(picture.boxes) for picture in pictures)
    about = (
        f"{len(pictures)} pictures with {faces} faces and {len(paths)} portraits: {about_data or data.name};"
        f" fitted by {code_commit()}"
    )
    judge = fit([one for ones in (*candidates.values(), others) for one in ones], about=about)
    output.write_bytes(judge.to_bytes())
    click.echo(f"wrote {output}")


def _proposers(name: str) -> tuple[dict[str, Proposer], str]:
    """The detector with each of its presets, and the preset that it has by default."""
    from maskcheck.detectors.judge.judge import Proposer
    from maskcheck.hosting.creation import create_detector
    from maskcheck.hosting.registry import default_registry

    spec = default_registry().find(name).spec
    preset = next((option for option in spec.options if option.name == "preset" and option.choices), None)
    if preset is None:
        raise click.UsageError(f"detector {name} has no presets to fit a judge for")
    presets: dict[str, Proposer] = {}
    for choice in map(str, preset.choices or ()):
        made = create_detector(spec, {"preset": choice})
        if not isinstance(made, Proposer):
            raise click.UsageError(f"detector {name} has no judge: it has no method propose")
        presets[choice] = made
    return presets, str(preset.default)
