"""What PyInstaller cannot see of the SDK: modules loaded by name, files, the runtime and the installed plugins."""

from __future__ import annotations

from importlib.metadata import entry_points, packages_distributions
from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_data_files, collect_entry_point, collect_submodules, copy_metadata

from maskcheck.detectors.haar.cascades import FILES


def _belongs(name: str) -> bool:
    # Commands and the service come with programs that import them, and what plugins import (a class of commands, too)
    # with plugins; the tests' kit and these hooks are no part of a program.
    apart = ("__main__", "_pyinstaller", "commands", "plugins", "service", "testing")
    return not name.removeprefix("maskcheck.").startswith(apart)


hiddenimports = ["onnxruntime", *collect_submodules("maskcheck", filter=_belongs)]
# The embedded model, the judges and what else lies beside the modules; of OpenCV, the cascades of faces.
datas = collect_data_files("maskcheck", excludes=["testing"])
datas += collect_data_files("cv2", subdir="data", includes=sorted(FILES.values()))
# The doctor reads versions from metadata.
datas += copy_metadata("maskcheck")
for _package in ("onnxruntime", "cv2", "PIL"):
    for _distribution in sorted(set(packages_distributions().get(_package, ()))):
        datas += copy_metadata(_distribution)

# Plugins are found by their entry points, and each is a package with files of its own. What else a plugin
# needs, the files of another distribution, say, is for a hook of that plugin.
_datas, _modules = collect_entry_point("maskcheck")
datas += _datas
hiddenimports += _modules
for _package in sorted({entry_point.module.partition(".")[0] for entry_point in entry_points(group="maskcheck")}):
    hiddenimports += collect_submodules(_package, filter=lambda name: "._pyinstaller" not in name, on_error="warn once")
    datas += collect_data_files(_package)

# The SDK uses these where a program has them: a program that does imports them itself.
excludedimports = ["IPython", "faster_coco_eval", "matplotlib", "onnx", "pytest", "ray", "supervision", "tensorflow"]
if find_spec("av") is None and find_spec("fastapi") is None:  # no videos and no service, so nobody is followed
    excludedimports.append("scipy")
