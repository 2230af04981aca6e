"""The example files for clusters: their syntax, and the script they start, in two processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.ports import free_port

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "cluster"


def start(*options):
    command = [sys.executable, FOLDER / "train.py", "Burgers", "--preset", "test", *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    return subprocess.Popen(
        [*map(str, command)], text=True, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_two_processes_train_one_network(tmp_path):
    port = free_port()
    common = ["--checkpoint", tmp_path, "--coordinator", f"localhost:{port}", "--processes", 2]
    running = [start(*common, "--steps", 60, "--process", k) for k in range(2)]
    said = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert re.search(r"completed 60 steps on 2 x cpu", said[0])
    assert "completed" not in said[1]
    assert list(tmp_path.glob("result*")) and (tmp_path / "step-60").exists()


def test_sigterm_saves_and_the_next_start_goes_on(tmp_path):
    many = ["--checkpoint", tmp_path, "--steps", 10**6, "--checkpoint-every", 200]
    first = start(*many)
    deadline = time.monotonic() + 300
    while not any(tmp_path.glob("step-*")):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.2)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=120)
    assert first.returncode == 143
    newest = max(int(p.name.removeprefix("step-")) for p in tmp_path.glob("step-*"))
    second = start(*many[:2], "--steps", newest + 5)
    said = second.communicate(timeout=300)[0]
    assert second.returncode == 0 and f"completed {newest + 5} steps" in said, said


def test_slurm():
    script = FOLDER / "slurm.sbatch"
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n")
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", script], check=True)
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.M))
    assert options["signal"] == "TERM@120" and "requeue" in options
    assert options["ntasks-per-node"] == "4" and options["gpus-per-task"] == "1"
    assert "srun" in text and "train.py" in text and "143" in text


def test_kubernetes():
    service, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    pods = job["spec"]
    assert pods["completionMode"] == "Indexed" and pods["completions"] == pods["parallelism"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    template = pods["template"]["spec"]
    assert template["subdomain"] == service["metadata"]["name"]
    assert template["terminationGracePeriodSeconds"] >= 60
    (container,) = template["containers"]
    options = dict(part.removeprefix("--").split("=") for part in container["args"])
    name = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert options["coordinator"].startswith(f"{name}:")
    assert int(options["processes"]) == pods["completions"]
    assert options["process"] == f"$({container['env'][0]['name']})"
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in template["volumes"]}


def test_what_the_script_says_of_a_wrong_problem():
    wrong = subprocess.run(
        [sys.executable, FOLDER / "train.py", "Burger", "--checkpoint", "x"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert wrong.returncode == 2 and "invalid choice: 'Burger'" in wrong.stderr
