"""Check that the built wheel and sdist contain the files that users need.

Usage: python tests/package/check_archives.py FOLDER
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

WHEEL = (
    "maskcheck/__init__.py",
    "maskcheck/py.typed",
    "maskcheck/_pyinstaller/hook-maskcheck.py",
    "maskcheck/commands/report/page.css",
    "maskcheck/commands/report/page.html",
    "maskcheck/commands/report/page.js",
    "maskcheck/service/page/icon.svg",
    "maskcheck/service/page/index.html",
    "maskcheck/service/page/page.css",
    "maskcheck/service/page/page.js",
    "maskcheck/detectors/haar/judge.npz",
    "maskcheck/classifier/models/mask-inceptionv3-128-int8.onnx",
    "maskcheck/classifier/models/mask-mobilenetv2-96-int8.onnx",
    "maskcheck_export/__init__.py",
    "maskcheck_export/py.typed",
    "maskcheck_export/annotations/overlays/crowd.json",
    "maskcheck_export/recipes/default.toml",
    "maskcheck_export/recipes/seed.toml",
    "maskcheck_export/recipes/space.toml",
    "maskcheck_bench/__init__.py",
    "maskcheck_bench/py.typed",
    "maskcheck_bench/reporting/templates/report.html.j2",
)
SDIST = (
    "pyproject.toml",
    "noxfile.py",
    "README.md",
    "LICENSE",
    "sdk/maskcheck/classifier/models/mask-inceptionv3-128-int8.onnx",
    "sdk/maskcheck/classifier/models/mask-mobilenetv2-96-int8.onnx",
    "examples/group.jpg",
    "tests/conftest.py",
)


def main(folder: Path) -> None:
    """Exit with a list of missing files, or print that none is missing."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    missing = [f"{wheel.name}: {name}" for name in WHEEL if name not in in_wheel]
    missing += [f"{sdist.name}: {name}" for name in SDIST if name not in in_sdist]
    if missing:
        sys.exit("missing from the archives:\n" + "\n".join(missing))
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, contains all required files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
