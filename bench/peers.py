"""Brings the gateways that ours is compared with: into `.cache`, each in an environment of its own."""

import json
import shutil
import subprocess
import sys
from typing import Final

from bench.measure import say
from bench.systems import PEERS, PORTKEY

LITELLM: Final = ("1.106.2", "")
"""Versions to try; the empty one is the newest."""

_PORTKEY: Final = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # With the newest one that it allows, its streams and embeddings end in "TypeError: immutable".
    "overrides": {"@hono/node-server": "1.13.8"},
}
"""Its package.json."""

INSTALL_SECONDS: Final = 600


def bring() -> list[str]:
    """Install what can be installed; return the names of the systems that are there."""
    PEERS.mkdir(parents=True, exist_ok=True)
    return [name for name, bring_it in (("litellm", _litellm), ("portkey", _portkey)) if bring_it()]


def _litellm() -> bool:
    home = PEERS / "litellm"
    if (home / "bin" / "litellm").exists():
        return True
    say("Installing LiteLLM: a minute or two, once.")
    if not _ran([sys.executable, "-m", "venv", str(home)]):
        return False
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    for version in LITELLM:
        wanted = f"litellm[proxy]=={version}" if version else "litellm[proxy]"
        if _ran([*pip, wanted]):
            return True
    say("LiteLLM is left out: it cannot be installed.")
    return False


def _portkey() -> bool:
    if PORTKEY.exists():
        return True
    if not shutil.which("node") or not shutil.which("npm"):
        say("Portkey is left out: there is no Node.js here.")
        return False
    say("Installing Portkey: half a minute, once.")
    home = PEERS / "portkey"
    home.mkdir(exist_ok=True)
    (home / "package.json").write_text(json.dumps(_PORTKEY), encoding="utf-8")
    if _ran(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(home)]):
        return True
    say("Portkey is left out: it cannot be installed.")
    return False


def _ran(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            check=False,
            timeout=INSTALL_SECONDS,
            stdout=sys.stderr,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
