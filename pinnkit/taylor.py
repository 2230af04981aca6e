"""Truncated Taylor arithmetic: all wanted partial derivatives of a function in one pass.

A function is traced to a jaxpr and evaluated on truncated Taylor series in several
variables instead of on numbers. A series is a dictionary

    {multi-index a: coefficient D^a f / a!},

restricted to the smallest set of multi-indices that holds the wanted ones and is closed
downward (with u_xx it holds u_x and u, but no u_t). Coefficients that are identically zero
are absent. Products are Cauchy products; an elementary function y = f(x) satisfies a
differential equation D_i y = w D_i x, which turns into a recurrence for its coefficients

    a_i y_a = sum_{0 < b <= a} b_i x_b w_{a - b}

(Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 13). The pass is a plain JAX
computation, so it can be jitted, batched with `vmap` and differentiated.

`jax.experimental.jet` offers the same idea for one direction at a time; the tests hold this
file against it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from pinnkit.interpreter import called, carried_out, interpret
from pinnkit.trigonometry import sine_and_cosine

MultiIndex = tuple[int, ...]


class Series(dict):
    """Coefficients by multi-index; `Series.zero` is the multi-index of the value."""

    @property
    def zero(self) -> MultiIndex:
        return (0,) * len(next(iter(self)))

    @property
    def value(self) -> jax.Array:
        return self[self.zero]

    def map(self, linear: Callable) -> Series:
        return Series({a: linear(c) for a, c in self.items()})


def taylor_coefficients(
    function: Callable, point: jax.Array, wanted: Iterable[MultiIndex]
) -> dict[MultiIndex, jax.Array]:
    """Taylor coefficients D^a f(point) / a! for every wanted multi-index a.

    Args:
        function: maps an array of shape (d,) to one array of any shape.
        point: shape (d,).
        wanted: multi-indices of length d.

    Returns:
        A dictionary from each wanted multi-index to an array of the function's shape.

    Raises:
        NotImplementedError: the function uses a primitive that has no rule here.
    """
    wanted = tuple(wanted)
    indices = downward_closure(wanted)
    closed = jax.make_jaxpr(function)(point)
    (output,) = _evaluate(closed.jaxpr, closed.consts, [_variable(point, indices)], indices)
    if not isinstance(output, Series):
        output = Series({indices[0]: output})
    zeros = jnp.zeros_like(output.value)
    return {a: output.get(a, zeros) for a in wanted}


def downward_closure(wanted: Iterable[MultiIndex]) -> tuple[MultiIndex, ...]:
    """Every multi-index below a wanted one, in order of total degree."""
    below = {b for a in wanted for b in itertools.product(*(range(k + 1) for k in a))}
    return tuple(sorted(below, key=lambda a: (sum(a), a)))


def _variable(point: jax.Array, indices: tuple[MultiIndex, ...]) -> Series:
    basis = jnp.eye(len(point), dtype=point.dtype)
    first_order = {a: basis[a.index(1)] for a in indices if sum(a) == 1}
    return Series({indices[0]: point, **first_order})


def _evaluate(jaxpr, consts, arguments, indices) -> list:
    return interpret(jaxpr, consts, arguments, partial(_apply, indices=indices))


def _apply(equation, inputs, indices) -> list:
    primitive, params = equation.primitive, equation.params
    if not any(isinstance(x, Series) for x in inputs):
        return carried_out(equation, inputs)
    if function := called(equation):
        return _evaluate(*function, inputs, indices)
    if primitive.name in _LINEAR and isinstance(inputs[0], Series):
        return [inputs[0].map(lambda c: primitive.bind(c, *inputs[1:], **params))]
    if primitive.name in _LINEAR_PARTS:
        parts = inputs[0].map(lambda c: primitive.bind(c, **params))
        return [parts.map(lambda part, i=i: part[i]) for i in range(len(equation.outvars))]
    if primitive.name in _PIECEWISE_CONSTANT:
        values = [x.value if isinstance(x, Series) else x for x in inputs]
        return [primitive.bind(*values, **params)]
    rule = _RULES.get(primitive.name)
    if rule is None:
        raise NotImplementedError(
            f"no Taylor rule for the primitive '{primitive.name}': write the field with the "
            "operations listed in pinnkit/taylor.py, or ask partials for method='nested'"
        )
    return [rule(*inputs, indices=indices, primitive=primitive, **params)]


_LINEAR = {"neg", "reshape", "transpose", "broadcast_in_dim", "slice", "squeeze", "reduce_sum"}
_LINEAR |= {"convert_element_type", "copy", "copy_p", "rev", "expand_dims", "gather", "cumsum"}
_LINEAR |= {"dynamic_slice", "real", "imag", "reduce_window_sum", "name"}
_LINEAR_PARTS = {"split", "unstack"}
_PIECEWISE_CONSTANT = {"lt", "le", "gt", "ge", "eq", "ne", "sign", "floor", "ceil", "round"}
_PIECEWISE_CONSTANT |= {"is_finite", "stop_gradient"}


def _as_series(x, indices) -> Series:
    return x if isinstance(x, Series) else Series({indices[0]: x})


def _combine(x, y, indices, *, primitive, **params):
    x, y = _as_series(x, indices), _as_series(y, indices)
    shape = jnp.broadcast_shapes(jnp.shape(x.value), jnp.shape(y.value))
    result = Series({indices[0]: primitive.bind(x.value, y.value, **params)})
    for a in indices[1:]:
        if a in x and a in y:
            result[a] = primitive.bind(x[a], y[a], **params)
        elif a in x:
            result[a] = jnp.broadcast_to(x[a], shape)
        elif a in y:
            result[a] = jnp.broadcast_to(-y[a] if primitive.name == "sub" else y[a], shape)
    return result


def _product(x, y, indices, multiply=lax.mul) -> Series:
    x, y = _as_series(x, indices), _as_series(y, indices)
    result = Series()
    for a in indices:
        terms = [multiply(x[b], y[c]) for b, c in _splits(a) if b in x and c in y]
        if terms:
            result[a] = sum(terms[1:], terms[0])
    return result


def _splits(a: MultiIndex) -> list[tuple[MultiIndex, MultiIndex]]:
    below = itertools.product(*(range(k + 1) for k in a))
    return [(b, tuple(i - j for i, j in zip(a, b, strict=True))) for b in below]


def _bilinear(x, y, indices, *, primitive, **params):
    return _product(x, y, indices, lambda b, c: primitive.bind(b, c, **params))


def _divide(x, y, indices, **_):
    if not isinstance(y, Series):
        return x.map(lambda c: c / y)
    return _product(x, _power(y, -1.0, indices), indices)


def _integrate(x: Series, y0, weight: Callable[[Series, MultiIndex], jax.Array], indices) -> Series:
    """Solve D_i y = w D_i x coefficient by coefficient; `weight(y, c)` is w_c from y_b, b <= c."""
    y, w = Series({indices[0]: y0}), {}
    for a in indices[1:]:
        axis = next(i for i, k in enumerate(a) if k)
        terms = []
        for b, c in _splits(a):
            if b[axis] == 0 or b not in x:
                continue
            if c not in w:
                w[c] = weight(y, c)
            if w[c] is not None:
                ratio = b[axis] / a[axis]
                terms.append(x[b] * w[c] if ratio == 1 else ratio * x[b] * w[c])
        if terms:
            y[a] = sum(terms[1:], terms[0])
    return y


def _cauchy(x: Series, y: Series, a: MultiIndex):
    terms = [x[b] * y[c] for b, c in _splits(a) if b in x and c in y]
    return sum(terms[1:], terms[0]) if terms else None


def _exp(x, indices, **_):
    return _integrate(x, lax.exp(x.value), lambda y, c: y.get(c), indices)


def _tanh(x, indices, **_):
    def one_minus_square(y, c):
        square = _cauchy(y, y, c)
        if sum(c) == 0:
            return 1 - square
        return None if square is None else -square

    return _integrate(x, lax.tanh(x.value), one_minus_square, indices)


def _logistic(x, indices, **_):
    def y_minus_square(y, c):
        square = _cauchy(y, y, c)
        return None if square is None else y[c] - square if c in y else -square

    return _integrate(x, lax.logistic(x.value), y_minus_square, indices)


def _sine_and_cosine(x, indices) -> tuple[Series, Series]:
    sine, cosine = (Series({indices[0]: y}) for y in sine_and_cosine(x.value))
    for a in indices[1:]:
        axis = next(i for i, k in enumerate(a) if k)
        for target, source, sign in ((sine, cosine, 1.0), (cosine, sine, -1.0)):
            terms = [
                sign * b[axis] / a[axis] * x[b] * source[c]
                for b, c in _splits(a)
                if b[axis] and b in x and c in source
            ]
            if terms:
                target[a] = sum(terms[1:], terms[0])
    return sine, cosine


def _power(x, exponent: float, indices) -> Series:
    """x^p from x D_i y = p y D_i x."""
    y = Series({indices[0]: x.value**exponent})
    for a in indices[1:]:
        axis = next(i for i, k in enumerate(a) if k)
        terms = []
        for b, c in _splits(a):
            if b in x and c in y and sum(b):
                factor = (exponent * b[axis] - c[axis]) / a[axis]
                terms.append(factor * x[b] * y[c])
        if terms:
            y[a] = sum(terms[1:], terms[0]) / x.value
    return y


def _integer_power(x, indices, *, y, **_):
    if y < 0:
        return _power(x, float(y), indices)
    if y == 0:
        return Series({indices[0]: jnp.ones_like(x.value)})
    result = None
    while y:
        if y & 1:
            result = x if result is None else _product(result, x, indices)
        y >>= 1
        x = _product(x, x, indices) if y else x
    return result


def _constant_power(x, y, indices, **_):
    if not isinstance(x, Series):
        log_x = jnp.log(x)
        return _exp(y.map(lambda c: c * log_x), indices)
    if isinstance(y, Series):
        return _exp(_product(y, _log(x, indices), indices), indices)
    return _power(x, y, indices)


def _log(x, indices, **_):
    inverse = _power(x, -1.0, indices)
    return _integrate(x, lax.log(x.value), lambda _y, c: inverse.get(c), indices)


def _erf(x, indices, **_):
    square = _product(x, x, indices)
    gaussian = _exp(square.map(lax.neg), indices).map(lambda c: c * (2 / math.sqrt(math.pi)))
    return _integrate(x, lax.erf(x.value), lambda _y, c: gaussian.get(c), indices)


def _arctangent(x, indices, **_):
    slope = _power(_shifted(_product(x, x, indices), 1.0), -1.0, indices)
    return _integrate(x, lax.atan(x.value), lambda _y, c: slope.get(c), indices)


def _hyperbolic(sign: float):
    def rule(x, indices, **_):
        plus = _exp(x, indices)
        minus = _exp(x.map(lax.neg), indices)
        both = {**plus, **minus}
        return Series(
            {a: 0.5 * (plus.get(a, 0.0) + sign * minus.get(a, 0.0)) for a in indices if a in both}
        )

    return rule


def _coefficientwise(*operands, indices, operation, **params):
    operands = [_as_series(x, indices) for x in operands]
    present = [a for a in indices if any(a in x for x in operands)]
    return Series(
        {
            a: operation(*[x.get(a, jnp.zeros_like(x.value)) for x in operands], **params)
            for a in present
        }
    )


def _concatenate(*operands, indices, primitive, **params):
    return _coefficientwise(*operands, indices=indices, operation=primitive.bind, **params)


def _select(which, *cases, indices, primitive, **params):
    def choose(*coefficients, **params):
        return primitive.bind(which, *coefficients, **params)

    return _coefficientwise(*cases, indices=indices, operation=choose, **params)


def _extremum(compare):
    def rule(x, y, indices, **_):
        x, y = _as_series(x, indices), _as_series(y, indices)
        first = compare(x.value, y.value)
        present = [a for a in indices if a in x or a in y]
        return Series({a: jnp.where(first, x.get(a, 0.0), y.get(a, 0.0)) for a in present})

    return rule


_RULES = {
    "add": _combine,
    "add_any": _combine,
    "sub": _combine,
    "mul": _bilinear,
    "dot_general": _bilinear,
    "div": _divide,
    "exp": _exp,
    "tanh": _tanh,
    "logistic": _logistic,
    "sin": lambda x, indices, **_: _sine_and_cosine(x, indices)[0],
    "cos": lambda x, indices, **_: _sine_and_cosine(x, indices)[1],
    "sinh": _hyperbolic(-1.0),
    "cosh": _hyperbolic(1.0),
    "log": _log,
    "log1p": lambda x, indices, **_: _log(_shifted(x, 1.0), indices),
    "expm1": lambda x, indices, **_: _shifted(_exp(x, indices), -1.0),
    "atan": _arctangent,
    "erf": _erf,
    "erfc": lambda x, indices, **_: _shifted(_erf(x, indices).map(lax.neg), 1.0),
    "square": lambda x, indices, **_: _product(x, x, indices),
    "integer_pow": _integer_power,
    "pow": _constant_power,
    "sqrt": lambda x, indices, **_: _power(x, 0.5, indices),
    "rsqrt": lambda x, indices, **_: _power(x, -0.5, indices),
    "abs": lambda x, indices, **_: x.map(lambda c: c * lax.sign(x.value)),
    "max": _extremum(lax.ge),
    "min": _extremum(lax.le),
    "concatenate": _concatenate,
    "stack": _concatenate,
    "select_n": _select,
}


def _shifted(x: Series, offset: float) -> Series:
    return Series({**x, x.zero: x.value + offset})
