"""Which distributions are installed. In a frozen application, none are: there, only an import shows what it has."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution


def installed_versions(*names: str) -> dict[str, str]:
    """Versions of those distributions that are installed, by name, in the order of `names`.

    A distribution whose metadata cannot be read, for example after half an uninstall, is left out.
    """
    return {name: number for name in names if (number := _version(name)) is not None}


def owns_package(name: str, package: str) -> bool:
    """Whether an installed distribution brought files of an import package; True if it does not list its files.

    Args:
        name: The distribution.
        package: Folder of the import package: ``cv2``, ``onnxruntime``, ...
    """
    try:
        files = distribution(name).files
    except Exception:  # the metadata may be damaged in any way
        return True
    return files is None or any(file.parts[:1] == (package,) for file in files)


def _version(name: str) -> str | None:
    try:
        values = distribution(name).metadata.get_all("Version")  # read like this, a missing version gives no warning
        return str(values[0]) if values else None
    except PackageNotFoundError:
        return None
    except Exception:  # damaged in any way: no file, not UTF-8, no permission; errors differ by Python version
        return None
