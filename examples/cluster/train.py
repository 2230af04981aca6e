"""Train a preset on all devices of all hosts: alone, under Slurm, or in Kubernetes.

    python train.py LidDrivenCavity reynolds=1000 --preset gpu --checkpoint runs/cavity

Every host runs this same command. Under Slurm the processes find each other; elsewhere the address
of the first, their number and the number of this one are given. Started again, it goes on from the
checkpoint; SIGTERM saves one and ends with the exit code 143, which means: start me again.
"""

import argparse
import os

import jax

import pinnkit
from pinnkit import problems
from pinnkit.solve import PRESETS


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problem", choices=problems.__all__)
    parser.add_argument("physics", nargs="*", metavar="NAME=VALUE", help="such as reynolds=1000")
    parser.add_argument("--preset", default="gpu", choices=PRESETS)
    parser.add_argument("--optimizer", help="one of the preset's; by default its first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--micro-batch", type=int, help="points at a time, where memory is short")
    parser.add_argument("--checkpoint", required=True, help="a folder that all hosts see")
    parser.add_argument("--checkpoint-every", type=int, default=1000)
    parser.add_argument("--coordinator", help="HOST:PORT of the first process")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--process", type=int)
    arguments = parser.parse_args()

    if arguments.coordinator or int(os.environ.get("SLURM_NTASKS", 1)) > 1:
        jax.distributed.initialize(arguments.coordinator, arguments.processes, arguments.process)
    physics = dict(pair.split("=", 1) for pair in arguments.physics)
    problem = getattr(problems, arguments.problem)(**{n: float(v) for n, v in physics.items()})
    run = pinnkit.solve(
        problem,
        arguments.preset,
        optimizer=arguments.optimizer,
        seed=arguments.seed,
        steps=arguments.steps,
        micro_batch=arguments.micro_batch,
        devices=jax.device_count(),
        checkpoint=arguments.checkpoint,
        checkpoint_every=arguments.checkpoint_every,
        progress=jax.process_index() == 0,
    )
    if jax.process_index() == 0:
        run.save(f"{arguments.checkpoint}/result")
        print(f"{run.status} on {run.device}, {run.seconds:.0f} s")
        print({name: f"{error:.2e}" for name, error in run.relative_error().items()})


if __name__ == "__main__":
    main()
