"""Which distributions are installed. A frozen application has none: there, only an import tells."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution


def installed_versions(*names: str) -> dict[str, str]:
    """Versions of those distributions that are installed, by name, in the order asked for.

    A distribution whose metadata cannot be read, as one half uninstalled, is left out.
    """
    return {name: number for name in names if (number := _version(name)) is not None}


def owns_package(name: str, package: str) -> bool:
    """Whether an installed distribution brought files of an import package; True where it does not tell.

    Args:
        name: The distribution.
        package: Folder of the import package: ``cv2``, ``onnxruntime``, ...
    """
    try:
        files = distribution(name).files
    except Exception:  # metadata of any shape
        return True
    return files is None or any(file.parts[:1] == (package,) for file in files)


def _version(name: str) -> str | None:
    try:
        values = distribution(name).metadata.get_all("Version")  # asked for like this, a missing one gives no warning
        return str(values[0]) if values else None
    except PackageNotFoundError:
        return None
    except Exception:  # metadata of any shape: no file, not UTF-8, no permission; Python's errors differ by version
        return None
