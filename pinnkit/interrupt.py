"""Ctrl-C and Jupyter's Stop button, heard between two chunks of steps."""

from __future__ import annotations

import signal
import threading


class StopButton:
    """Within this scope the first interrupt sets `pressed`; a second one raises KeyboardInterrupt.

    The state of a run lives in buffers that each chunk of steps takes over from the last one.
    An exception at the wrong moment would lose it; a flag read between chunks cannot.
    """

    def __init__(self):
        self.pressed = False
        self._in_main_thread = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> StopButton:
        if self._in_main_thread:
            self._previous = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_) -> None:
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._previous)

    def _press(self, *_) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
