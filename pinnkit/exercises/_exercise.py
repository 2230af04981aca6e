"""What every exercise has: hints that come one by one and an instant check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Exercise:
    """A task with hints and a check.

    Args:
        title: a few words.
        hints: from a nudge to nearly the answer.
        diagnose: takes the reader's answer and returns an empty string if it is right,
            otherwise what is wrong with it.
        praise: said when the answer is right: what it shows.
    """

    def __init__(
        self, title: str, hints: tuple[str, ...], diagnose: Callable[[Any], str], praise: str
    ):
        self.title = title
        self.hints = hints
        self._diagnose = diagnose
        self._praise = praise
        self._given = 0

    def __repr__(self) -> str:
        return f"Exercise({self.title!r}, {len(self.hints)} hints)"

    def hint(self) -> None:
        """Print the next hint; after the last one it starts again."""
        i = self._given % len(self.hints)
        self._given += 1
        print(f"Hint {i + 1} of {len(self.hints)}: {self.hints[i]}")

    def check(self, answer: Any) -> None:
        """Say whether the answer is right and, if not, what is wrong with it."""
        problem = self.problem_with(answer)
        print(f"Not yet. {problem}" if problem else f"Right. {self._praise}")

    def problem_with(self, answer: Any) -> str:
        """What is wrong with the answer in a sentence; empty if nothing is."""
        try:
            return self._diagnose(answer)
        except NotImplementedError:
            return "There is nothing to check so far: write your answer in place of the stub."
        except Exception as error:
            return f"Your code raised {type(error).__name__}: {error}"


def compare(
    got: Any,
    right: Any,
    mistakes: Mapping[str, Any],
    otherwise: str,
    *,
    rtol: float = 1e-3,
    atol: float = 1e-6,
) -> str:
    """What is wrong with a number or an array; empty if nothing is.

    Args:
        got: the reader's result.
        right: the right one.
        mistakes: by what to say about them, wrong results that are easily arrived at.
        otherwise: said of any other wrong result, up to "but yours is ...".
        rtol, atol: as for `numpy.allclose`.
    """
    if got is None:
        return "The function returns nothing: does it end with `return`?"

    def equals(value) -> bool:
        return np.shape(got) == np.shape(value) and np.allclose(got, value, rtol=rtol, atol=atol)

    if equals(right):
        return ""
    for message, value in mistakes.items():
        if equals(value):
            return message
    if np.shape(got) != np.shape(right):
        return f"Expected the shape {np.shape(right)}, but you return {np.shape(got)}."
    return f"{otherwise}, but yours is {np.round(np.asarray(got, float), 4).tolist()}."
