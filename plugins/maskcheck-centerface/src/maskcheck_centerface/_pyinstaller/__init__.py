"""How PyInstaller freezes a program that uses this plugin: it finds the hooks of this folder by an entry point."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Folders of hooks, as PyInstaller asks for them."""
    return [str(Path(__file__).parent)]
