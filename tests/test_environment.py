"""However the course is installed (make, pip, conda, a hosted session), it is the same software."""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import environment
import pinnkit

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [
    line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
]
PINS = {canonicalize_name(name): version for name, version in (x.split("==") for x in LINES)}
# These come with a new environment; whatever is there has installed the rest.
INSTALLERS = {"pip", "setuptools"}


def committed():
    """All files of the repository that git does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [p for name in names.decode().split("\0") if name and (p := ROOT / name).is_file()]


def recipe(name):
    return yaml.safe_load((ROOT / name).read_text())


def conda_part(name):
    return [x for x in recipe(name)["dependencies"] if isinstance(x, str)]


def pip_part(name):
    (part,) = [x["pip"] for x in recipe(name)["dependencies"] if isinstance(x, dict)]
    return part


# Versions.


def needed(*extras):
    """The names of all distributions that pinnkit with these extras brings here."""
    found, todo = set(), [("pinnkit", extra) for extra in ("", *extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted = ("", *requirement.extras)
                todo += [(canonicalize_name(requirement.name), extra) for extra in wanted]
    return {name for name, _ in found} - {"pinnkit"}


def declared():
    extras = PROJECT["optional-dependencies"].values()
    requirements = [Requirement(x) for group in (PROJECT["dependencies"], *extras) for x in group]
    return [r for r in requirements if r.name != "pinnkit"]


def test_what_is_installed_is_what_is_pinned():
    names = needed("lab", "test") - {"pip"}
    assert sorted(names - PINS.keys()) == []
    assert {n: importlib.metadata.version(n) for n in names} == {n: PINS[n] for n in names}


def test_nothing_is_pinned_that_is_not_needed():
    try:
        names = needed("lab", "test", "parity", "teach")
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"the extra 'parity' or 'teach' is not installed: {error.name}")
    assert sorted(PINS.keys() - names) == []


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_pins_lie_in_the_declared_ranges(requirement):
    name = canonicalize_name(requirement.name)
    if name != "pip":
        assert requirement.specifier.contains(PINS[name]), requirement


def test_constraints_are_pins():
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in LINES)
    assert len(PINS) == len(LINES)


def test_extras_that_build_the_environment_exist():
    offered = PROJECT["optional-dependencies"].keys()
    assert {"lab", "test", "parity", "teach"} <= offered
    assert environment.known_extras(ROOT) == sorted(offered)


# Conda and hosted sessions.


def test_environment_yml_installs_what_make_does():
    assert shlex.split(" ".join(pip_part("environment.yml"))) == environment.pip_arguments(["lab"])


def test_environment_yml_has_a_python_that_will_do():
    (python,) = [x for x in conda_part("environment.yml") if x.startswith("python=")]
    version = python.removeprefix("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert f"(Python {version})" in (ROOT / "constraints.txt").read_text()
    assert "pip" in conda_part("environment.yml")


def test_a_hosted_session_has_the_same():
    ours, hosted = recipe("environment.yml"), recipe("binder/environment.yml")
    assert conda_part("binder/environment.yml") == conda_part("environment.yml")
    assert hosted["channels"] == ours["channels"]
    assert hosted["dependencies"] == conda_part("binder/environment.yml")
    (install,) = re.findall(
        r"^python -m pip install --no-cache-dir (.*)$",
        (ROOT / "binder/postBuild").read_text(),
        re.MULTILINE,
    )
    assert shlex.split(install) == environment.pip_arguments(["lab"])


@pytest.mark.parametrize("name", ["binder/postBuild", ".ci/run"])
def test_scripts_can_be_run(name):
    script = ROOT / name
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_repo2docker_finds_both_parts_of_the_hosted_session(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", ROOT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    dockerfile = result.stdout
    assert result.returncode == 0, result.stderr
    (python,) = [x for x in conda_part("environment.yml") if x.startswith("python=")]
    assert f"conda environment for {python}\n" in result.stderr
    environment_at = dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "binder/environme')
    assert dockerfile.index("RUN ./binder/postBuild") > environment_at


@pytest.mark.slow
def test_environment_yml_installs_for_real(tmp_path):
    kit = tmp_path / "kit"
    for path in committed():
        copy = kit / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    venv = tmp_path / "venv"
    subprocess.run([environment._base_python(), "-m", "venv", venv], check=True)
    python = venv / "bin/python"

    # As conda does it: the pip part becomes a file of requirements beside environment.yml.
    requirements = kit / "condaenv.requirements.txt"
    requirements.write_text("\n".join(pip_part("environment.yml")))
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check"]
    upgrade = ["install", "--quiet", "--upgrade", "--exists-action=b", "-r", requirements.name]
    subprocess.run([*pip, *upgrade], cwd=kit, check=True)

    def installed():
        listing = subprocess.run([*pip, "list", "--format=json"], capture_output=True, check=True)
        found = {canonicalize_name(x["name"]): x["version"] for x in json.loads(listing.stdout)}
        return {name: found[name] for name in found.keys() - INSTALLERS}

    expected = {name: PINS[name] for name in needed("lab")} | {"pinnkit": pinnkit.__version__}
    assert installed() == expected

    # A hosted session does it again in its own way, and gets the same; it imports pinnkit too.
    hosted = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    subprocess.run([kit / "binder/postBuild"], cwd=kit, env=hosted, check=True)
    assert installed() == expected
    where = [python, "-I", "-c", "import pinnkit; print(pinnkit.__file__)"]
    printed = subprocess.run(where, cwd="/", capture_output=True, text=True, check=True).stdout
    assert Path(printed.strip()) == kit / "pinnkit/__init__.py"


def test_ci_does_not_go_on_without_a_browser(tmp_path):
    for name in ("bash", "dirname", "git", "python3"):
        (tmp_path / name).symlink_to(shutil.which(name))
    result = subprocess.run(
        ["bash", ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert re.search("^ci: needs chromium.*, and there is no apt-get to install it", result.stderr)


# What is committed.

# The names are put together here so that this file does not hold them itself.
FORBIDDEN = {
    "the host of a package registry": [
        b"py" + b"pi.org",
        b"python" + b"hosted",
        b"ana" + b"conda.org",
        b"registry.np" + b"mjs",
        b"download.py" + b"torch",
        b"deb.deb" + b"ian.org",
    ],
    "a path of somebody's machine": [
        re.compile(rb"/(?:home|Users)" + rb"/[a-z]\w*/"),
        re.compile(rb"/ro" + rb"ot/\w"),
        re.compile(rb"[A-Z]:\\+Us" + rb"ers"),
        re.compile(rb"/[\w./-]+/site-" + rb"packages/"),
        str(ROOT).encode(),
    ],
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_holds(what):
    for path in committed():
        content = path.read_bytes()
        for pattern in FORBIDDEN[what]:
            if isinstance(pattern, bytes):
                pattern = re.compile(re.escape(pattern))
            found = pattern.search(content)
            assert not found, f"{path.relative_to(ROOT)} holds {what}: {found[0].decode()}"


def test_requirements_name_no_address():
    files = ["pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run"]
    for path in (*(ROOT / name for name in files), *(ROOT / "binder").iterdir()):
        assert "://" not in path.read_text(), path
    locks = [p.name for p in committed() if re.search(r"[.-]lock\b", p.name)]
    assert locks == []


def test_citation_and_licences():
    citation = recipe("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["version"]) == ("pinnkit", pinnkit.__version__)
    assert importlib.metadata.version("pinnkit") == pinnkit.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert citation["authors"] == PROJECT["authors"]
    cited = [x["identifiers"][0]["value"] for x in citation["references"]]
    assert cited == ["arXiv:2502.00604", "arXiv:2409.11321"]
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    prose = (ROOT / "LICENSE-PROSE.md").read_text()
    assert "CC BY 4.0" in prose and "(https://creativecommons.org/licenses/by/4.0/)" in prose
