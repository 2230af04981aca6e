"""Ctrl-C, Jupyter's Stop button and SIGTERM, heard between two chunks of steps."""

from __future__ import annotations

import signal
import threading


class StopButton:
    """Within this scope the first interrupt sets `pressed`; a second one raises KeyboardInterrupt.

    Whoever stops a run wants to see how far it came. A flag that is read between two chunks of
    steps returns it; an exception, raised wherever the interpreter happens to be, would not.
    Interrupts are left alone outside the main thread, where Python cannot hear them, and where
    something other than Python handles them.

    Args:
        terminate: whether SIGTERM is heard, too. After the scope `deliver` does what it asks for.

    Attributes:
        pressed: whether to stop.
        terminated: whether it was SIGTERM.
    """

    def __init__(self, terminate: bool = False):
        self.pressed = self.terminated = False
        self._handlers = {signal.SIGINT: self._press}
        if terminate:
            self._handlers[signal.SIGTERM] = self._terminate
        self._previous = {}

    def __enter__(self) -> StopButton:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._handlers.items():
                if signal.getsignal(number) is not None:
                    self._previous[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def deliver(self) -> None:
        """Do what SIGTERM would have done outside the scope; by default, exit."""
        if not self.terminated:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(128 + signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    def _terminate(self, *_) -> None:
        self.pressed = self.terminated = True

    def _press(self, *_) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
