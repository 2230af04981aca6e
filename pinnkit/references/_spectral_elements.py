"""Spectral elements on a rectangle cut into rectangles: velocity of degree k, pressure of k - 1.

On each element the velocity is a polynomial of degree k in x and in y, given by its values at
(k + 1)^2 Gauss-Lobatto nodes and continuous across elements. The pressure is a polynomial of
total degree k - 1, given by Legendre coefficients and discontinuous. This pair is stable for
every k >= 2 (Bernardi and Maday 1997, Handbook of Numerical Analysis 5, 209).

Nodes inside an element, and all pressure modes but its mean, belong to that element alone. They
are eliminated element by element (static condensation), so that the sparse system has only the
velocities on element edges and one pressure for each element.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

BLOCK = 64  # elements at a time, which bounds the memory


@dataclass(frozen=True, eq=False)
class Elements:
    """A tensor product of intervals with polynomials of degree k on each element.

    Args:
        edges_x: increasing, shape (m_x + 1,): the element boundaries along x.
        edges_y: the same along y.
        degree: k >= 2.
    """

    edges_x: np.ndarray = field(repr=False)
    edges_y: np.ndarray = field(repr=False)
    degree: int

    @cached_property
    def lobatto(self) -> np.ndarray:
        """Gauss-Lobatto nodes on [-1, 1], shape (k + 1,)."""
        inside = legendre.legroots(legendre.legder([0] * self.degree + [1]))
        return np.concatenate([[-1.0], inside, [1.0]])

    @cached_property
    def x(self) -> np.ndarray:
        """Nodes along x, each once, shape (m_x k + 1,)."""
        return self._nodes(self.edges_x)

    @cached_property
    def y(self) -> np.ndarray:
        return self._nodes(self.edges_y)

    @cached_property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Width and height of each element, numbered column by column: shape (m_x m_y,)."""
        width, height = np.meshgrid(np.diff(self.edges_x), np.diff(self.edges_y), indexing="ij")
        return width.ravel(), height.ravel()

    @cached_property
    def nodes(self) -> np.ndarray:
        """Number of each local node in an array over (x, y), flattened: (m_x m_y, (k + 1)^2)."""
        column, row = np.divmod(np.arange(len(self.sizes[0])), len(self.edges_y) - 1)
        local = np.arange(self.degree + 1)
        along_x = column[:, None] * self.degree + local
        along_y = row[:, None] * self.degree + local
        both = along_x[:, :, None] * len(self.y) + along_y[:, None, :]
        return both.reshape(len(column), -1)

    @cached_property
    def inside(self) -> np.ndarray:
        """True for the local nodes that no other element shares, shape ((k + 1)^2,)."""
        flag = np.zeros((self.degree + 1,) * 2, bool)
        flag[1:-1, 1:-1] = True
        return flag.ravel()

    @cached_property
    def basis(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Quadrature weights; values, both derivatives and pressure modes at those points.

        On the square [-1, 1]^2: shapes (q,), three times (q, (k + 1)^2), (q, k (k + 1) / 2). The
        Gauss rule is exact for the convective term.
        """
        points, weights = legendre.leggauss(3 * self.degree // 2 + 1)
        value, slope = self._lagrange(points)
        modes = legendre.legvander(points, self.degree - 1)
        return (
            np.kron(weights, weights),
            np.kron(value, value),
            np.kron(slope, value),
            np.kron(value, slope),
            np.stack([np.kron(modes[:, i], modes[:, j]) for i, j in self.pressure_modes], axis=1),
        )

    @cached_property
    def pressure_modes(self) -> list[tuple[int, int]]:
        """Legendre degrees in x and y; the mean comes first."""
        return [(i, j) for i in range(self.degree) for j in range(self.degree - i)]

    def evaluate(self, nodal: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A velocity component, shape (m_x k + 1, m_y k + 1), on a grid: shape (n_x, n_y)."""
        return self._to(self.edges_x, x) @ nodal @ self._to(self.edges_y, y).T

    def evaluate_pressure(self, modal: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The pressure, shape (m_x m_y, modes), on a grid: shape (n_x, n_y)."""
        column, local_x = _locate(self.edges_x, x)
        row, local_y = _locate(self.edges_y, y)
        modes_x = legendre.legvander(local_x, self.degree - 1)
        modes_y = legendre.legvander(local_y, self.degree - 1)
        element = column[:, None] * (len(self.edges_y) - 1) + row
        return sum(
            modal[element, n] * modes_x[:, i, None] * modes_y[:, j]
            for n, (i, j) in enumerate(self.pressure_modes)
        )

    def _nodes(self, edges):
        nodes = edges[:-1, None] + np.diff(edges)[:, None] * (1 + self.lobatto[:-1]) / 2
        return np.append(nodes.ravel(), edges[-1])

    def _lagrange(self, points):
        """Values and slopes of the nodal basis at points in [-1, 1]: (len(points), k + 1) each."""
        to_modes = np.linalg.inv(legendre.legvander(self.lobatto, self.degree))
        slopes = [legendre.legval(points, legendre.legder(e)) for e in np.eye(self.degree + 1)]
        return (
            legendre.legvander(points, self.degree) @ to_modes,
            np.stack(slopes, axis=1) @ to_modes,
        )

    def _to(self, edges, points):
        element, local = _locate(edges, points)
        matrix = np.zeros((len(points), (len(edges) - 1) * self.degree + 1))
        columns = element[:, None] * self.degree + np.arange(self.degree + 1)
        np.put_along_axis(matrix, columns, self._lagrange(local)[0], axis=1)
        return matrix


def _locate(edges, points):
    """Element of each point and its place in [-1, 1] there."""
    element = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, len(edges) - 2)
    return element, 2 * (points - edges[element]) / np.diff(edges)[element] - 1


def solve_condensed(local_system, shared: np.ndarray, own: np.ndarray, unknown: np.ndarray):
    """Solve a sum of element systems, matrix @ x = right side, by static condensation.

    Args:
        local_system: maps a slice of elements to their matrices (e, n, n) and right sides (e, n).
        shared: local indices of the unknowns on the skeleton, shape (s,).
        own: local indices of those that belong to one element, shape (n - s,).
        unknown: global number of each shared one, shape (elements, s); -1 where it is given as 0.

    Returns:
        Local solutions, shape (elements, n).
    """
    blocks = [slice(i, i + BLOCK) for i in range(0, len(unknown), BLOCK)]
    rows, columns, entries, inverses = [], [], [], []
    right_side = np.zeros(unknown.max() + 1)
    for block in blocks:
        matrix, right = local_system(block)
        to_own = np.concatenate([matrix[:, own[:, None], shared], right[:, own, None]], axis=2)
        inverse = np.linalg.solve(matrix[:, own[:, None], own], to_own)
        reduced = np.concatenate(
            [matrix[:, shared[:, None], shared], right[:, shared, None]], axis=2
        )
        reduced -= matrix[:, shared[:, None], own] @ inverse
        number = unknown[block]
        free = number >= 0
        np.add.at(right_side, number[free], reduced[:, :, -1][free])
        pair = free[:, :, None] & free[:, None, :]
        rows.append(np.broadcast_to(number[:, :, None], pair.shape)[pair])
        columns.append(np.broadcast_to(number[:, None, :], pair.shape)[pair])
        entries.append(reduced[:, :, :-1][pair])
        inverses.append(inverse)
    coordinates = np.concatenate(rows), np.concatenate(columns)
    system = csc_matrix((np.concatenate(entries), coordinates), shape=(len(right_side),) * 2)
    solution = np.append(splu(system).solve(right_side), 0.0)

    local = np.empty((len(unknown), len(shared) + len(own)))
    local[:, shared] = solution[unknown]
    for block, inverse in zip(blocks, inverses, strict=True):
        given = inverse[:, :, :-1] @ local[block][:, shared, None]
        local[block, own] = inverse[:, :, -1] - given[:, :, 0]
    return local
