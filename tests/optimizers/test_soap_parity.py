"""The same weights as the SOAP of pytorch_optimizer, on fixed sequences of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnkit.optimizers import soap

torch = pytest.importorskip("torch")
TorchSoap = pytest.importorskip("pytorch_optimizer").SOAP

LIMIT = 5  # longer axes get no basis; all others see Gram matrices of full rank from the start
SHAPES = {
    "scalar": (),
    "vector": (4,),
    "square": (5, 5),
    "tensor": (3, 2, 4),
    "left only": (4, 7),
    "right only": (7, 4),
    "long in the middle": (3, 6, 4),
}


class Torch64:
    """torch for a module that rounds to float32 where it should not."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@pytest.fixture(params=["as released", "without its float32 QR"])
def tolerance(request, monkeypatch):
    if request.param == "as released":
        return 5e-8
    monkeypatch.setattr(f"{TorchSoap.__module__}.torch", Torch64())
    return 1e-14


def arrays(seed, *leading):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(*leading, *shape)) for name, shape in SHAPES.items()}


def weights_of_torch(gradients, params, **options):
    params = {k: torch.nn.Parameter(torch.tensor(p)) for k, p in params.items()}
    optimizer = TorchSoap(params.values(), **options)
    path = {k: [] for k in params}
    for step in range(len(gradients["vector"])):
        for k, p in params.items():
            p.grad = torch.tensor(gradients[k][step])
        optimizer.step()
        for k, p in params.items():
            path[k].append(p.detach().numpy().copy())
    return {k: np.array(values) for k, values in path.items()}


def weights_of_pinnkit(gradients, params, optimizer):
    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    with jax.enable_x64(True):
        params, gradients = jax.tree.map(jnp.asarray, (params, gradients))
        carry = (params, optimizer.init(params))
        return jax.device_get(jax.jit(lambda c, g: jax.lax.scan(step, c, g)[1])(carry, gradients))


@pytest.mark.parametrize("shampoo_beta", [None, 0.8])
@pytest.mark.parametrize("frequency", [1, 3])
def test_weights_are_those_of_pytorch_optimizer(frequency, shampoo_beta, tolerance):
    gradients, params = arrays(0, 25), arrays(1)
    shared = {"weight_decay": 0.1, "shampoo_beta": shampoo_beta, "eps": 1e-8}
    shared |= {"precondition_frequency": frequency}
    optimizer = soap(1e-2, b1=0.9, b2=0.99, max_precond_dim=LIMIT, **shared)
    ours = weights_of_pinnkit(gradients, params, optimizer)
    shared |= {"betas": (0.9, 0.99), "max_precondition_dim": LIMIT}
    theirs = weights_of_torch(gradients, params, lr=1e-2, **shared)
    for name in SHAPES:
        assert np.max(np.abs(ours[name] - theirs[name])) < tolerance, name
