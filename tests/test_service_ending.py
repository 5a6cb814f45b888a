"""How `maskcheck serve` ends while it still begins."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

pytest.importorskip("fastapi")

from maskcheck import MaskPipeline
from maskcheck.service import server
from maskcheck.service.settings import ServiceSettings

SETTINGS = ServiceSettings(pipeline={"model": "small", "device": "cpu"}, grace=20)


def test_a_signal_before_the_server_listens_to_signals_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_app = server.make_app

    def signalled(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return make_app(*arguments)

    monkeypatch.setattr(server, "make_app", signalled)
    late: list[int] = []

    def end_it() -> None:
        late.append(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    watchdog = threading.Timer(30, end_it)
    watchdog.start()

    server.serve(SETTINGS, host="127.0.0.1", port=0, announce=lambda _: None)

    watchdog.cancel()
    assert not late


def test_the_end_waits_for_models_that_are_being_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    returned = threading.Event()
    loaded_first: list[bool] = []

    def warm_up(_pipeline: MaskPipeline) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # for the main thread, while this one goes on
        loaded_first.append(not returned.wait(0.5))

    monkeypatch.setattr(MaskPipeline, "warm_up", warm_up)

    server.serve(SETTINGS, host="127.0.0.1", port=0, announce=lambda _: None)

    returned.set()
    assert loaded_first == [True]
