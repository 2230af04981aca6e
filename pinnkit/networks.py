"""Network architectures as flax nnx modules: point of shape (d,) -> array of shape (n_fields,)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from numbers import Integral

import jax
import jax.numpy as jnp
from flax import nnx

from pinnkit.compilation import compile_once
from pinnkit.embeddings import CoordinateEmbedding, RandomFourierFeatures, harmonics_by_coordinate
from pinnkit.precision import precision
from pinnkit.problems import Problem

ACTIVATIONS: dict[str, Callable] = {"tanh": jnp.tanh, "swish": jax.nn.silu, "sin": jnp.sin}


class Dense(nnx.Module):
    """x W + b with Glorot-normal weights and zero bias.

    With `factorized`, W = V diag(exp(s)) and both V and s are trained: random weight
    factorization (Wang et al. 2022, arXiv 2210.01274), s drawn from N(1, 0.1).
    """

    def __init__(self, n_in: int, n_out: int, *, factorized=False, rngs, dtype=jnp.float32):
        kernel = nnx.initializers.glorot_normal()(rngs.params(), (n_in, n_out), dtype)
        self.factorized = factorized
        if factorized:
            log_scale = 1.0 + 0.1 * jax.random.normal(rngs.params(), (n_out,), dtype)
            self.log_scale = nnx.Param(log_scale)
            kernel = kernel / jnp.exp(log_scale)[None, :]
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros((n_out,), dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x @ self.kernel[...]
        if self.factorized:
            y = y * jnp.exp(self.log_scale[...])
        return y + self.bias[...]


class MLP(nnx.Module):
    """A fully connected network with `depth` hidden layers of `width` units."""

    def __init__(self, embedding, n_out, *, width, depth, activation, **options):
        sizes = [embedding.size] + [width] * depth
        self.embedding = embedding
        self.activation = activation
        self.hidden = nnx.List([Dense(a, b, **options) for a, b in itertools.pairwise(sizes)])
        self.output = Dense(width, n_out, **options)

    def __call__(self, point: jax.Array) -> jax.Array:
        h = self.embedding(point)
        for layer in self.hidden:
            h = self.activation(layer(h))
        return self.output(h)


class Gates(nnx.Module):
    """Two encodings of the input, U and V, between which a layer h chooses: h U + (1 - h) V."""

    def __init__(self, embedding, width, activation, **options):
        self.activation = activation
        self.first = Dense(embedding.size, width, **options)
        self.second = Dense(embedding.size, width, **options)

    def __call__(self, features: jax.Array) -> Callable[[jax.Array], jax.Array]:
        u, v = self.activation(self.first(features)), self.activation(self.second(features))
        return lambda h: h * (u - v) + v


class ModifiedMLP(nnx.Module):
    """An MLP whose hidden layers pass through `Gates` (Wang et al. 2021, arXiv 2001.04536)."""

    def __init__(self, embedding, n_out, *, width, depth, activation, **options):
        sizes = [embedding.size] + [width] * depth
        self.embedding = embedding
        self.activation = activation
        self.gates = Gates(embedding, width, activation, **options)
        self.hidden = nnx.List([Dense(a, b, **options) for a, b in itertools.pairwise(sizes)])
        self.output = Dense(width, n_out, **options)

    def __call__(self, point: jax.Array) -> jax.Array:
        h = self.embedding(point)
        gate = self.gates(h)
        for layer in self.hidden:
            h = gate(self.activation(layer(h)))
        return self.output(h)


class PirateBlock(nnx.Module):
    """Three layers, two gates and a residual connection that starts closed (alpha = 0)."""

    def __init__(self, width, activation, **options):
        self.activation = activation
        self.layers = nnx.List([Dense(width, width, **options) for _ in range(3)])
        self.alpha = nnx.Param(jnp.zeros((1,), options["dtype"]))

    def __call__(self, x: jax.Array, gate: Callable) -> jax.Array:
        f, g, h = self.layers
        z = gate(self.activation(f(x)))
        z = gate(self.activation(g(z)))
        return x + self.alpha[...] * (self.activation(h(z)) - x)


class PirateNet(nnx.Module):
    """Physics-informed residual adaptive network (Wang et al. 2024, arXiv 2402.00326).

    `depth` counts blocks of three layers. At the start every block is the identity, so the
    network begins as a linear function of its embedding, projected to `width` if need be.
    """

    def __init__(self, embedding, n_out, *, width, depth, activation, **options):
        self.embedding = embedding
        self.gates = Gates(embedding, width, activation, **options)
        needs_projection = embedding.size != width
        self.projection = Dense(embedding.size, width, **options) if needs_projection else None
        self.blocks = nnx.List([PirateBlock(width, activation, **options) for _ in range(depth)])
        self.output = Dense(width, n_out, **options)

    def __call__(self, point: jax.Array) -> jax.Array:
        features = self.embedding(point)
        gate = self.gates(features)
        x = features if self.projection is None else self.projection(features)
        for block in self.blocks:
            x = block(x, gate)
        return self.output(x)


class Hard(nnx.Module):
    """A network whose output is changed by `problem.impose` so that conditions hold exactly."""

    def __init__(self, network: nnx.Module, problem: Problem):
        self.network = network
        self.impose = problem.impose
        self.hard_terms = problem.hard_terms

    def __call__(self, point: jax.Array) -> jax.Array:
        return self.impose(point, self.network(point))


class Enriched(nnx.Module):
    """A network to whose output `problem.enrichment` is added: it learns what is left.

    In computational mechanics these are singular functions (Fix, Gulati and Wakoff 1973, J. Comput.
    Phys. 13, 209); for PINNs see Hu, Jin and Zhou (2023, arXiv 2308.16429).
    """

    def __init__(self, network: nnx.Module, problem: Problem):
        self.network = network
        self.enrichment = problem.enrichment

    def __call__(self, point: jax.Array, seen: jax.Array | None = None) -> jax.Array:
        """The sum at a point, which the network sees as `seen` where that is given."""
        return self.network(point if seen is None else seen) + self.enrichment(point)


ARCHITECTURES = {"MLP": MLP, "ModifiedMLP": ModifiedMLP, "PirateNet": PirateNet}


def network(
    problem: Problem,
    kind: str = "MLP",
    *,
    width: int = 64,
    depth: int = 3,
    activation: str = "tanh",
    harmonics: int | Mapping[str, int] = 1,
    harmonic_decay: float = 0.0,
    fourier_features: int = 0,
    fourier_scale: float = 1.0,
    factorized: bool = False,
    hard: bool = False,
    enriched: bool = False,
    dtype: str = "float32",
    seed: int = 0,
) -> nnx.Module:
    """A network that fits a problem: inputs scaled, periodic coordinates exactly periodic.

    Args:
        problem: gives the domain, the periodic coordinates and the number of fields.
        kind: "MLP", "ModifiedMLP" or "PirateNet".
        width: units per hidden layer.
        depth: hidden layers, or blocks of a PirateNet.
        activation: "tanh", "swish" or "sin".
        harmonics: frequencies per periodic coordinate; or by coordinate, {"x": 4}, which also
            gives one that is not periodic sines and cosines, of twice the domain's length.
        harmonic_decay: p >= 0; the sines and cosines of wave number k are multiplied by k^-p.
        fourier_features: number of random Fourier features on top; 0 for none.
        fourier_scale: standard deviation of their frequencies.
        factorized: random weight factorization.
        hard: build the problem's initial and boundary conditions into the output.
        enriched: add what the problem knows of its solution's singularities to the output.
        dtype: "float32" or "float64".
        seed: of the initial weights.

    Returns:
        A module that maps a point of shape (d,) to an array of shape (n_fields,). It remembers
        these options, so that a run with it can be saved and loaded again.

    Raises:
        TypeError: the problem is none, for example a class.
        ValueError: an unknown name or a size that is not positive; hard conditions or an
            enrichment that the problem does not have, or both at once; a problem whose names or
            domain are wrong.
    """
    _check_problem(problem, hard, enriched)
    width, depth = _integer("width", width, 1), _integer("depth", depth, 1)
    numbers = harmonics_by_coordinate(harmonics, problem.coordinates, problem.periodic)
    harmonics = numbers if isinstance(harmonics, Mapping) else int(harmonics)
    fourier_features = _integer("fourier_features", fourier_features, 0)
    seed = _integer("seed", seed, 0)
    options = {
        "kind": kind,
        "width": width,
        "depth": depth,
        "activation": activation,
        "harmonics": harmonics,
        "fourier_features": fourier_features,
        "fourier_scale": float(fourier_scale),
        "factorized": bool(factorized),
        "hard": bool(hard),
        "dtype": dtype,
        "seed": seed,
    }
    # files saved before there were these options do not name them
    if harmonic_decay:
        options["harmonic_decay"] = float(harmonic_decay)
    if enriched:
        options["enriched"] = True
    _one_of("architecture", kind, ARCHITECTURES)
    _one_of("activation", activation, ACTIVATIONS)
    _one_of("dtype", dtype, ("float32", "float64"))

    def build(key):
        rngs = nnx.Rngs(key)
        embedding = CoordinateEmbedding(
            {c: tuple(problem.domain[c]) for c in problem.coordinates},
            problem.periodic,
            harmonics,
            harmonic_decay,
        )
        if fourier_features:
            embedding = RandomFourierFeatures(
                embedding, fourier_features, fourier_scale, rngs=rngs, dtype=jnp.dtype(dtype)
            )
        return ARCHITECTURES[kind](
            embedding,
            len(problem.fields),
            width=width,
            depth=depth,
            activation=ACTIVATIONS[activation],
            factorized=factorized,
            rngs=rngs,
            dtype=jnp.dtype(dtype),
        )

    with precision(dtype):
        key = jax.random.key(seed)
        graph, _ = nnx.split(nnx.eval_shape(lambda: build(key)))
        # one program for all draws, in place of one for each
        draw, _ = compile_once(lambda key: nnx.split(build(key))[1], key)
        module = nnx.merge(graph, draw(key))
    if hard:
        module = Hard(module, problem)
    if enriched:
        module = Enriched(module, problem)
    module.spec = json.dumps(options)
    return module


def check_network(problem: Problem, module: Callable[[jax.Array], jax.Array], dtype) -> None:
    """Raise ValueError unless the network maps one point to one value for each field."""
    d, n = len(problem.coordinates), len(problem.fields)
    point = jax.ShapeDtypeStruct((d,), dtype)
    try:
        output = jax.eval_shape(lambda p: module(p), point)
    except Exception as error:
        raise ValueError(
            f"the network cannot be applied to a point of shape ({d},), that is "
            f"{problem.coordinates}: {error}"
        ) from error
    if output.shape != (n,) and not (n == 1 and output.shape == ()):
        raise ValueError(
            f"the network must return one value for each field {problem.fields}, shape ({n},), "
            f"but returns shape {output.shape}"
        )


def _check_problem(problem: Problem, hard: bool, enriched: bool) -> None:
    if not isinstance(problem, Problem):
        is_class = isinstance(problem, type)
        got = f"the class {problem.__name__}" if is_class else type(problem).__name__
        raise TypeError(
            f"problem must be a problem, for example pinnkit.problems.Burgers(), got {got}"
        )
    problem.check()
    if hard and (type(problem).impose is Problem.impose or not problem.hard_terms):
        raise ValueError(
            f"hard=True needs conditions that {type(problem).__name__} imposes: define "
            "`impose(self, point, output)` and name the conditions that it satisfies in "
            '`hard_terms`, for example hard_terms = ("initial",)'
        )
    if enriched and type(problem).enrichment is Problem.enrichment:
        raise ValueError(
            f"enriched=True needs an enrichment, which {type(problem).__name__} does not have: "
            "define `enrichment(self, point)`"
        )
    if enriched and hard:
        raise ValueError(
            "hard=True and enriched=True change the same output: choose one of the two"
        )


def _integer(name: str, value: int, least: int) -> int:
    """The value as a plain int, whichever integer type it had."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)


def _one_of(what: str, name: str, known) -> None:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: expected one of {', '.join(known)}")
