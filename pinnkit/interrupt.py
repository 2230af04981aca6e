"""Ctrl-C and Jupyter's Stop button, heard between two chunks of steps."""

from __future__ import annotations

import signal
import threading


class StopButton:
    """Within this scope the first interrupt sets `pressed`; a second one raises KeyboardInterrupt.

    Whoever stops a run wants to see how far it came. A flag that is read between two chunks of
    steps returns it; an exception, raised wherever the interpreter happens to be, would not.
    Interrupts are left alone outside the main thread, where Python cannot hear them, and where
    something other than Python handles them.
    """

    def __init__(self):
        self.pressed = False
        self._previous = None

    def __enter__(self) -> StopButton:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is not None:
            self._previous = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _press(self, *_) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
