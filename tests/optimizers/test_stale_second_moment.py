"""What SOAP does when its second moment is stored only where the bases are refreshed."""

import jax
import numpy as np
import optax
import pytest

from pinnkit.optimizers import scale_by_soap, soap, soap_state, with_stale_second_moment


def updates_and_states(optimizer, gradients):
    with jax.enable_x64(True):

        def step(state, gradient):
            updates, state = optimizer.update(gradient, state, gradient)
            return state, (updates, state)

        start = optimizer.init(gradients[0])
        return jax.device_get(jax.jit(lambda g: jax.lax.scan(step, start, g)[1])(gradients))


def constant_up_to_signs(calls):
    """Gradients whose squares never change, in the basis and out of it."""
    rng = np.random.default_rng(0)
    return rng.choice([-1.0, 1.0], (calls, 1, 1)) * rng.normal(size=(3, 3))


@pytest.mark.parametrize(("f", "b2", "calls"), [(2, 0.999, 501), (10, 0.95, 41)])
def test_updates_are_too_long_by_the_closed_form(f, b2, calls):
    gradients = constant_up_to_signs(calls)
    correct = scale_by_soap(b2=b2, precondition_frequency=f)
    stale = with_stale_second_moment(correct, f)
    (right, _), (wrong, _) = (updates_and_states(o, gradients) for o in (correct, stale))
    t = np.arange(1, calls)
    factor = np.sqrt((1 - b2**t) / (1 - b2 ** (1 + (t - 1) // f)))
    norms = [np.linalg.norm(u[1:], axis=(1, 2)) for u in (wrong, right)]
    np.testing.assert_allclose(norms[0] / norms[1], factor, rtol=1e-5)
    if f == 2:
        assert np.isclose(factor.max(), np.sqrt(2), rtol=1e-3) and 1.33 < factor[-1] < 1.34
    else:
        assert np.isclose(factor[f - 1], 2.83, atol=0.01) and factor.argmax() == f - 1


def simulate(gradients, f, b1, b2, eps, stale):
    """Lengths of the updates and v after every call of SOAP on square matrices."""
    left, right, m, v = np.zeros((4, *gradients[0].shape))
    p = q = np.eye(len(m))
    lengths, moments = [0.0], [v]
    for t, g in enumerate(gradients):
        if t:
            m = b1 * m + (1 - b1) * g
            newest = b2 * v + (1 - b2) * (p.T @ g @ q) ** 2
            n = p @ ((p.T @ m @ q) / (np.sqrt(newest) + eps)) @ q.T
            lengths.append(np.sqrt(1 - b2**t) / (1 - b1**t) * np.linalg.norm(n))
            v = newest if t % f == 0 or not stale else v
        left, right = b2 * left + (1 - b2) * g @ g.T, b2 * right + (1 - b2) * g.T @ g
        if t == 0:
            p, q = (np.linalg.eigh(a)[1][:, ::-1] for a in (left, right))
        elif t % f == 0:
            rows, columns = (np.argsort(-np.diag(b.T @ a @ b)) for a, b in ((left, p), (right, q)))
            v = v[rows][:, columns]
            p, q = np.linalg.qr(left @ p[:, rows])[0], np.linalg.qr(right @ q[:, columns])[0]
        moments.append(v)
    return np.array(lengths), np.array(moments[1:])


def test_it_follows_a_simulation_in_numpy_and_is_far_from_the_correct_rule():
    gradients = np.random.default_rng(1).normal(size=(31, 3, 3))
    options = {"b1": 0.9, "b2": 0.95, "eps": 1e-8}
    inner = optax.chain(
        optax.identity(), soap(1.0, weight_decay=0, precondition_frequency=10, **options)
    )
    updates, state = updates_and_states(with_stale_second_moment(inner, 10), gradients)
    lengths = np.linalg.norm(updates, axis=(1, 2))
    simulated, moments = simulate(gradients, 10, **options, stale=True)
    np.testing.assert_allclose(lengths, simulated, rtol=1e-10)
    np.testing.assert_allclose(soap_state(state).second_moment, moments, rtol=1e-9, atol=1e-13)
    correct, _ = simulate(gradients, 10, **options, stale=False)
    assert np.median(lengths[2:11] / correct[2:11]) > 3


def test_the_second_moment_moves_only_with_the_bases():
    gradients = np.random.default_rng(2).normal(size=(8, 3, 3))
    optimizer = with_stale_second_moment(scale_by_soap(precondition_frequency=3), 3)
    _, state = updates_and_states(optimizer, gradients)
    moved = [
        bool((b != a).any())
        for a, b in zip(state.second_moment, state.second_moment[1:], strict=False)
    ]
    assert moved == [k % 3 == 0 for k in range(1, 8)]
    assert not state.second_moment[:3].any()
    assert all((b != a).any() for a, b in zip(state.momentum, state.momentum[1:], strict=False))


@pytest.mark.parametrize("frequency", [0, 2.0, None, True])
def test_a_wrong_frequency_is_named(frequency):
    with pytest.raises(ValueError, match=f"integer >= 1, got {frequency}"):
        with_stale_second_moment(soap(1.0), frequency)


def test_an_optimizer_without_soap_is_an_error():
    with pytest.raises(ValueError, match="expected one SOAP state .* found 0"):
        with_stale_second_moment(optax.adam(1.0), 2).init(np.ones(2, "float32"))
