"""Well-known vendors, as data: address, key variable, quirks.

A vendor with behaviour of its own gets an adapter; one that differs by what stands here is a row.
Adding one is one line here and one in `docs/providers.md`, which a test holds to this table.

Base URLs. A row's handle is `/<provider>/<rest>`, and base URL + rest is called. For a vendor the base is
the `base_url` that it documents for OpenAI's SDK, so the rest is `/chat/completions`:
`/groq/chat/completions` → `https://api.groq.com/openai/v1/chat/completions`. It is the bare origin, with
the version in the rest (`/v1/chat/completions`), for OpenAI and Anthropic, for vendors with a native API
beside the compatible one (Cohere, Gemini), and for local servers, at their default port.
Vendors without a fixed address (Azure, Databricks, Cloudflare, Snowflake) need `…__BASE_URL`; Bedrock's is
its region's, Azure's also that of `AZURE_OPENAI_ENDPOINT`.

Key variables are those that the vendor's own SDK reads or its documentation exports.

`volunteers_usage` follows recorded streams whose request did not ask: usage came in all complete ones of
Fireworks (5 of 5), Together (3 of 3), Mistral (12 of 12), Cerebras (3 of 3), Hyperbolic, Baseten (2 of 2),
OpenRouter (2 of 2) and Groq since October 2025 (5 of 5, before that under `x_groq`), and in each chunk of
Perplexity. Mistral also answers 422 to `stream_options`, and OpenRouter documents that it always includes
usage. All others either were recorded accepting `stream_options` (OpenAI, xAI, DeepSeek, Z.ai, Ollama,
Hugging Face, Vercel), or document it. `docs/providers.md` has the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from router.values import NO_HEADERS, Dialect, Signer


@dataclass(frozen=True, slots=True)
class Preset:
    """One vendor. `key_variable` None: a local server, no key needed.

    `volunteers_usage`: its streams state usage unasked, so it is neither asked for nor taken out.
    `key_header`: takes the bare key instead of the dialect's own header. `signer`: authorizes requests
    where there is no key. `dialect`: its own, where the path's end would tell another. `base_url` empty: it
    differs by customer, and must be configured. `base_url_variables`: variables of the vendor's own SDK
    that tell it, the first that is set counts, with the address that `{}` is filled into.
    """

    base_url: str
    key_variable: str | None
    volunteers_usage: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    key_header: str | None = None
    signer: Signer | None = None
    dialect: Dialect | None = None
    base_url_variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _volunteer(base_url: str, key_variable: str) -> Preset:
    return Preset(base_url, key_variable, volunteers_usage=True)


def _told_by(address: str, *variables: str) -> Mapping[str, str]:
    return MappingProxyType(dict.fromkeys(variables, address))


_BEDROCK: Final = "https://bedrock-runtime.{}.amazonaws.com"

VERTEX_GLOBAL: Final = "https://aiplatform.googleapis.com"
"""Serves the location `global`; a path that names another is called there (`routing/providers.py`)."""

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        # built in
        "demo": Preset("demo://builtin", None),
        # origins
        "openai": Preset("https://api.openai.com", "OPENAI_API_KEY"),
        "anthropic": Preset("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
        "cohere": Preset("https://api.cohere.com", "CO_API_KEY"),
        "gemini": Preset("https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
        "voyage": Preset("https://api.voyageai.com", "VOYAGE_API_KEY", dialect=Dialect.VOYAGE),
        "vertex": Preset(VERTEX_GLOBAL, None, key_header="x-goog-api-key", signer=Signer.GOOGLE),
        # clouds: a key, or the cloud's own credential chain
        "azure": Preset(
            "",
            "AZURE_OPENAI_API_KEY",
            key_header="api-key",
            signer=Signer.ENTRA,
            base_url_variables=_told_by("{}", "AZURE_OPENAI_ENDPOINT"),
        ),
        "bedrock": Preset(
            "",
            "AWS_BEARER_TOKEN_BEDROCK",
            signer=Signer.AWS,
            base_url_variables=_told_by(_BEDROCK, "AWS_REGION", "AWS_DEFAULT_REGION"),
        ),
        # bases of the OpenAI-compatible API
        "avian": Preset("https://api.avian.io/v1", "AVIAN_API_KEY"),
        "baseten": _volunteer("https://inference.baseten.co/v1", "BASETEN_API_KEY"),
        "cerebras": _volunteer("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        "crusoe": Preset("https://api.inference.crusoecloud.com/v1", "CRUSOE_API_KEY"),
        "dashscope": Preset(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"
        ),
        "deepinfra": Preset("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
        "deepseek": Preset("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        "fireworks": _volunteer("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        "github": Preset("https://models.github.ai/inference", "GITHUB_TOKEN"),
        "groq": _volunteer("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        "huggingface": Preset("https://router.huggingface.co/v1", "HF_TOKEN"),
        "hyperbolic": _volunteer("https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
        "minimax": Preset("https://api.minimax.io/v1", "MINIMAX_API_KEY"),
        "mistral": _volunteer("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        "moonshot": Preset("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
        "nebius": Preset("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
        "novita": Preset("https://api.novita.ai/openai/v1", "NOVITA_API_KEY"),
        "nvidia": Preset("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
        "ollama-cloud": Preset("https://ollama.com/v1", "OLLAMA_API_KEY"),
        "openrouter": _volunteer("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "perplexity": _volunteer("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
        "sambanova": Preset("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
        "together": _volunteer("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        "vercel": Preset("https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
        "xai": Preset("https://api.x.ai/v1", "XAI_API_KEY"),
        "zai": Preset("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
        # local servers
        "llamacpp": Preset("http://127.0.0.1:8080", None),
        "lmstudio": Preset("http://127.0.0.1:1234", None),
        "ollama": Preset("http://127.0.0.1:11434", None),
        "sglang": Preset("http://127.0.0.1:30000", None),
        "vllm": Preset("http://127.0.0.1:8000", None),
    }
)
