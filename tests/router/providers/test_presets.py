import ast
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from router.providers import presets
from router.providers.presets import PRESETS, Preset
from router.routing import handle
from router.values import Dialect

ROOT = Path(__file__).parents[3]
DOCUMENTED = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "providers.md").read_text().splitlines()
    if re.match(r"\| `[a-z0-9-]+` \| `(https?:|AZURE_)", line) and "acme" not in line
]
NATIVE = {
    "anthropic": Dialect.ANTHROPIC,
    "cohere": Dialect.COHERE,
    "voyage": Dialect.VOYAGE,
    "gemini": Dialect.GEMINI,
    "vertex": Dialect.GEMINI,
    "bedrock": Dialect.BEDROCK,
}
LOCAL = {"llamacpp", "lmstudio", "ollama", "sglang", "vllm"}


def test_no_vendor_stands_in_the_table_twice() -> None:
    source = ast.parse(Path(presets.__file__).read_text())
    keys = [
        str(key.value)
        for node in ast.walk(source)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    ]

    assert sorted(keys) == sorted(PRESETS)


@pytest.mark.parametrize(("name", "preset"), PRESETS.items(), ids=PRESETS)
def test_a_vendors_name_can_stand_in_a_handle_and_a_variable(name: str, preset: Preset) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
    assert handle.parse(f"/{name}/chat/completions").provider == name


@pytest.mark.parametrize(("name", "preset"), PRESETS.items(), ids=PRESETS)
def test_an_address_is_a_base_that_a_path_can_be_appended_to(name: str, preset: Preset) -> None:
    address = urlsplit(preset.base_url)

    assert not preset.base_url.endswith("/")
    assert not any((address.query, address.fragment, address.username))
    assert not address.path.endswith("/chat/completions")


@pytest.mark.parametrize(
    "name",
    [n for n, p in PRESETS.items() if n not in LOCAL | {"demo"} and p.signer is None],
    ids=lambda name: name,
)
def test_a_vendor_is_called_over_tls_with_a_key_of_its_own(name: str) -> None:
    preset = PRESETS[name]

    assert preset.base_url.startswith("https://")
    assert re.fullmatch(r"[A-Z0-9_]+_(API_KEY|TOKEN)", preset.key_variable or "")
    assert [n for n, p in PRESETS.items() if p.key_variable == preset.key_variable] == [name]


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_a_local_server_is_called_on_loopback_without_a_key(name: str) -> None:
    address = urlsplit(PRESETS[name].base_url)

    assert (address.scheme, address.hostname, address.path) == ("http", "127.0.0.1", "")
    assert PRESETS[name].key_variable is None


@pytest.mark.parametrize(
    ("name", "path", "url"),
    [
        ("openai", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("anthropic", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        (
            "fireworks",
            "/chat/completions",
            "https://api.fireworks.ai/inference/v1/chat/completions",
        ),
        ("demo", "/v1/chat/completions", "demo://builtin/v1/chat/completions"),
    ],
)
def test_the_contracts_handles_lead_where_it_says(name: str, path: str, url: str) -> None:
    assert PRESETS[name].base_url + path == url


def shown_address(preset: Preset) -> str:
    """The address, or how it is made of the variable that counts first."""
    made = [address.format(name) for name, address in preset.base_url_variables.items()]
    return preset.base_url or made[0]


@pytest.mark.parametrize("name", ["azure", "bedrock"])
def test_a_cloud_takes_a_key_or_its_own_credentials(name: str) -> None:
    preset = PRESETS[name]

    assert preset.key_variable in ("AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")
    assert preset.signer is not None
    assert preset.base_url_variables


def test_the_documentation_shows_the_table_as_it_is() -> None:
    shown = {
        name: (base, None if key == "none" else key, usage == "volunteered")
        for name, base, key, _, usage, _ in DOCUMENTED
    }

    assert shown == {
        name: (shown_address(p), p.key_variable, p.volunteers_usage)
        for name, p in PRESETS.items()
        if name != "demo"
    }


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: row[0])
def test_a_documented_handle_leads_to_a_dialect(row: list[str]) -> None:
    parsed = handle.parse(row[3])

    assert parsed.provider == row[0]
    dialect, _ = handle.language_of(parsed.path, PRESETS[row[0]].dialect)
    assert dialect is NATIVE.get(row[0], Dialect.OPENAI)
