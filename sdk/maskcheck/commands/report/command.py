"""The command and its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.options import FilePath

if TYPE_CHECKING:
    from maskcheck.commands.report.reading import Results
    from maskcheck.privacy import Blur


@click.command(short_help="Make a page of the faces that a run found.")
@click.argument("results", type=FilePath(path_type=Path))
@click.option(
    "--output",
    type=FilePath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The page.  [default: report.html in the folder]",
)
@click.option(
    "--blur",
    type=click.Choice(["none", "all", "without_mask", "with_mask"]),
    help="Blur these faces.  [default: as the run did]",
)
@click.option("--no-images", is_flag=True, help="Show no faces, only what was found.")
@click.option(
    "--max-faces",
    type=click.IntRange(1, 20_000),
    default=2000,
    show_default=True,
    help="Most faces on the page: those whose label is least sure.",
)
@click.pass_context
def report(
    ctx: click.Context, results: Path, output: Path | None, blur: str | None, no_images: bool, max_faces: int
) -> None:
    """Make a page of the faces that `maskcheck detect` found, to look through in a browser.

    RESULTS is the folder of --output, or the file of --json. The page is one file with everything in it: a small
    picture of each face, by how sure its label is, and what could not be read. Of a video, it shows the best picture of
    each person. It loads nothing from anywhere. The pictures are read again from where they were.

    Exit status 1 if some lines of the results could not be read.
    """
    from PIL import Image

    from maskcheck.commands.detect.result_files.safe_files import is_link, write_whole
    from maskcheck.commands.detect.terminal.progress import Progress
    from maskcheck.commands.report.page import MARK, make_page
    from maskcheck.commands.report.reading import read_results
    from maskcheck.commands.report.run_folder import RunSettings, find_run, read_settings
    from maskcheck.commands.report.thumbnails import NO_IMAGES, make_thumbnails

    Image.MAX_IMAGE_PIXELS = None  # what the run decoded is decoded again
    run = find_run(results)
    page = output or run.page
    if is_link(page) or (page.exists() and not _begins(page, MARK)):
        raise click.UsageError(f"{page} exists and is no report of maskcheck, so it is kept; choose another --output")
    settings = read_settings(run.receipt)
    if settings is None:
        if blur is None and not no_images:
            raise click.UsageError(
                f"{run.receipt} cannot be read, which says whether the run blurred faces; give --blur, or --no-images"
            )
        settings = RunSettings()
    chosen = settings.blur if blur is None else _choice(blur)
    with run.results.open("rb") as lines:
        found = read_results(lines, most=max_faces, blur=chosen)
    if not (found.pictures or found.frames or found.failed):
        raise click.UsageError(f"{run.results} holds no results of maskcheck")
    thumbnails = [NO_IMAGES] * len(found.faces)
    if settings.images and not no_images:
        progress = Progress(len(found.faces))
        for done, (place, thumbnail) in enumerate(make_thumbnails(found.faces, settings.folder), 1):
            thumbnails[place] = thumbnail
            progress.show(done)
        progress.clear()
    content = make_page(
        made=_made(run.results),
        counts=_counts(found),
        remarks=_remarks(found, chosen, images=settings.images and not no_images, unfinished=run.unfinished),
        faces=list(zip(found.faces, thumbnails, strict=True)),
        errors=found.errors,
        failed=found.failed,
    )
    write_whole(page, content)
    shown = len(found.faces)
    click.echo(f"{shown} {'face' if shown == 1 else 'faces'} in {page}, {len(content) / 1e6:.1f} MB")
    without = sum(not thumbnail.address for thumbnail in thumbnails if thumbnail is not NO_IMAGES)
    if without:
        click.echo(f"maskcheck: no picture of {without} faces; the page says why", err=True)
    if found.bad_lines:
        click.echo(f"maskcheck: {run.results}: {found.bad_lines} lines are no results, and were left out", err=True)
    ctx.exit(SOMETHING_FAILED if found.bad_lines else SUCCESS)


def _begins(path: Path, mark: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(mark))
    return not start or start == mark


def _choice(blur: str) -> Blur | None:
    choices: dict[str, Blur | None] = {
        "none": None,
        "all": "all",
        "without_mask": "without_mask",
        "with_mask": "with_mask",
    }
    return choices[blur]


def _made(results: Path) -> str:
    from datetime import datetime

    from maskcheck._version import __version__

    when = datetime.fromtimestamp(results.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    return f"{results.absolute()}, of {when}; page by maskcheck {__version__}"


def _counts(found: Results) -> list[tuple[str, int]]:
    counts = [("pictures", found.pictures)] if found.pictures else []
    if found.frames:
        counts.append(("frames of videos", found.frames))
    if found.tracks:
        counts.append(("tracks in videos", found.tracks))
    counts += sorted(found.labels.items(), key=lambda item: -item[1]) or [("faces", 0)]
    if found.failed:
        counts.append(("not read", found.failed))
    return counts


def _remarks(found: Results, blur: Blur | None, *, images: bool, unfinished: bool) -> list[str]:
    remarks = []
    more = found.labels.total() - len(found.faces)
    if more > 0:
        remarks.append(
            f"Shown are the {len(found.faces):,} faces whose label is least sure; {more:,} are left out (--max-faces)."
        )
    if found.tracks:
        remarks.append("Of a person in a video, the best picture is shown, once for each label.")
    if blur is not None and images:
        kinds = {"all": "All faces", "without_mask": "Faces without a mask", "with_mask": "Faces with a mask"}
        unsure = "" if blur == "all" else ", and those that nobody is sure of,"
        remarks.append(f"{kinds[blur]}{unsure} are blurred.")
    if unfinished:
        remarks.append("The run has not finished.")
    if found.bad_lines:
        remarks.append(f"{found.bad_lines:,} lines of the results could not be read.")
    return remarks
