"""Configuration is read once, from environment and file; what cannot be used is named and masked."""

from pathlib import Path

import pytest

from edge.config import EdgeLimits
from launch import config as configuration
from launch.config import is_loopback, require_keys
from router.config import AdmissionConfig, Balancing, Fallbacks, Policy, Timeouts
from router.errors import ConfigError
from router.values import Dialect, Secret


def load(**environ: str) -> configuration.Config:
    return configuration.load(environ)


def test_nothing_configured_gives_the_documented_defaults() -> None:
    config = load()

    assert (config.edge.http_host, config.edge.http_port) == ("127.0.0.1", 8080)
    assert (config.router.grpc_host, config.router.grpc_port) == ("127.0.0.1", 50051)
    assert config.edge.router_target == "127.0.0.1:50051"
    assert config.router.model_list.source is None
    assert config.router.model_list.refresh_seconds == 60
    assert config.router.policy.timeouts == Timeouts(connect=5, first_token=120, idle=60, total=600)
    assert (config.router.policy.retries, config.router.policy.retry_backoff) == (2, 0.5)
    assert config.router.policy.balancing is Balancing.PEAK_EWMA
    assert config.router.policy.fallbacks == {}
    assert config.router.admission == AdmissionConfig(4096, 512, 64)
    assert config.router.max_body_bytes == config.edge.max_body_bytes == 64 * 1024 * 1024
    assert config.router.drain_seconds == config.edge.drain_seconds == 30
    assert config.edge.limits == EdgeLimits(4096, 16384, 1024**3)
    assert config.edge.cors_origins == ()
    assert (config.workers, config.edge.reuse_port, config.router.reuse_port) == (1, False, False)
    assert config.router.api_keys == ()
    assert (config.log.level, config.log.format) == ("info", None)


def test_every_variable_arrives() -> None:
    config = load(
        MODEL_LIST_URL="https://h/models.json",
        MODEL_LIST_REFRESH_SECONDS="5",
        MODEL_LIST_AUTHORIZATION="Bearer x",
        TRUNKLINE_HTTP_HOST="::1",
        TRUNKLINE_HTTP_PORT="1",
        TRUNKLINE_GRPC_HOST="localhost",
        TRUNKLINE_GRPC_PORT="2",
        TRUNKLINE_ROUTER="dns:///routers:50051",
        TRUNKLINE_STATE_DIR="/tmp/state",  # noqa: S108 (a path that is only compared)
        TRUNKLINE_API_KEYS="a-key, b-key,",
        OPENAI_API_KEY="preset-key",
        TRUNKLINE_PROVIDERS__MY_VLLM__BASE_URL="http://gpu:8000/",
        TRUNKLINE_PROVIDERS__MY_VLLM__API_KEY="own-key",
        TRUNKLINE_PROVIDERS__MY_VLLM__DIALECT="anthropic",
        UPSTREAM_BASE_URL="http://one",
        UPSTREAM_API_KEY="one-key",
        TRUNKLINE_TIMEOUTS__FIRST_TOKEN="1.5",
        TRUNKLINE_MAX_BODY_BYTES="2048",
        TRUNKLINE_DRAIN_SECONDS="3",
        TRUNKLINE_LIMITS__REQUESTS="4",
        TRUNKLINE_LIMITS__CONNECTIONS="5",
        TRUNKLINE_LIMITS__HELD_BYTES="6000",
        TRUNKLINE_CORS_ORIGINS="http://a, http://b",
        TRUNKLINE_LOG_LEVEL="DEBUG",
        TRUNKLINE_LOG_FORMAT="json",
    )

    router = config.router
    assert router.model_list.source == "https://h/models.json"
    assert router.model_list.refresh_seconds == 5
    assert router.model_list.authorization == Secret("Bearer x")
    assert (config.edge.http_host, config.edge.http_port) == ("::1", 1)
    assert (router.grpc_host, router.grpc_port) == ("localhost", 2)
    assert config.edge.router_target == "dns:///routers:50051"
    assert router.state_dir == Path("/tmp/state")  # noqa: S108 (as above)
    assert router.api_keys == (Secret("a-key"), Secret("b-key"))
    assert router.providers.preset_keys["OPENAI_API_KEY"] == Secret("preset-key")
    own = router.providers.named["MY_VLLM"]
    assert (own.base_url, own.api_key, own.dialect) == (
        "http://gpu:8000/", Secret("own-key"), Dialect.ANTHROPIC,
    )  # fmt: skip
    assert router.providers.upstream_base_url == "http://one"
    assert router.providers.upstream_api_key == Secret("one-key")
    assert router.policy.timeouts.first_token == 1.5
    assert router.max_body_bytes == 2048
    assert config.edge.limits == EdgeLimits(requests=4, connections=5, held_bytes=6000)
    assert config.edge.cors_origins == ("http://a", "http://b")
    assert (config.log.level, config.log.format) == ("debug", "json")


def test_what_routing_goes_by_arrives() -> None:
    router = load(
        TRUNKLINE_RETRIES="5",
        TRUNKLINE_RETRY_BACKOFF="0.25",
        TRUNKLINE_BALANCING="Least_In_Flight",
        TRUNKLINE_LIMITS__CONCURRENCY="7",
        TRUNKLINE_LIMITS__QUEUE="0",
        TRUNKLINE_LIMITS__DEPLOYMENT_QUEUE="3",
        TRUNKLINE_PROVIDERS__MY_VLLM__API_KEYS="more-one, more-two",
        TRUNKLINE_PROVIDERS__MY_VLLM__MAX_CONCURRENCY="9",
    ).router
    own = router.providers.named["MY_VLLM"]

    assert (router.policy.retries, router.policy.retry_backoff) == (5, 0.25)
    assert router.policy.balancing is Balancing.LEAST_IN_FLIGHT
    assert router.admission == AdmissionConfig(7, 0, 3)
    assert own.api_keys == (Secret("more-one"), Secret("more-two"))
    assert own.max_concurrency == 9


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(
        "http_port: 81\ntimeouts: {connect: 2, idle: 3}\napi_keys: [one-key, two-key]\n"
        "providers:\n  my-vllm: {base_url: 'http://gpu', headers: {X-One: '1'}}\n"
    )
    config = load(TRUNKLINE_CONFIG=str(file), TRUNKLINE_TIMEOUTS__IDLE="4")

    assert config.edge.http_port == 81
    assert (config.router.policy.timeouts.connect, config.router.policy.timeouts.idle) == (2, 4)
    assert config.router.api_keys == (Secret("one-key"), Secret("two-key"))
    assert config.router.providers.named["MY_VLLM"].base_url == "http://gpu"
    assert config.router.providers.named["MY_VLLM"].headers == {"x-one": "1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUNKLINE_HTTP_PORT", "http"),
        ("TRUNKLINE_HTTP_PORT", "70000"),
        ("TRUNKLINE_HTTP_PORT", "80.5"),
        ("TRUNKLINE_TIMEOUTS__CONNECT", "0"),
        ("TRUNKLINE_TIMEOUTS__TOTAL", "nan"),
        ("TRUNKLINE_DRAIN_SECONDS", "-1"),
        ("TRUNKLINE_MAX_BODY_BYTES", "many"),
        ("TRUNKLINE_LIMITS__REQUESTS", "0"),
        ("TRUNKLINE_LIMITS__HELD_BYTES", "1GiB"),
        ("TRUNKLINE_LOG_LEVEL", "loud"),
        ("TRUNKLINE_LOG_FORMAT", "xml"),
        ("MODEL_LIST_URL", "ftp://host/list"),
        ("MODEL_LIST_URL", "https:///list"),
        ("MODEL_LIST_REFRESH_SECONDS", "often"),
        ("UPSTREAM_BASE_URL", "host"),
        ("UPSTREAM_BASE_URL", "http://host/#x"),
        ("TRUNKLINE_PROVIDERS__X__BASE_URL", "ftp://host"),
        ("TRUNKLINE_PROVIDERS__X__DIALECT", "klingon"),
        ("TRUNKLINE_ROUTER", "host"),
        ("TRUNKLINE_ROUTER", "host:port"),
        ("TRUNKLINE_CONFIG", "/no/such/file"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{name: value})

    assert name in str(caught.value)
    assert value in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["TRUNKLINE_API_KEYS", "OPENAI_API_KEY", "UPSTREAM_API_KEY", "MODEL_LIST_AUTHORIZATION"],
)
def test_a_secret_that_cannot_be_used_is_masked(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{name: "canary\r\nx: y"})

    assert name in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "providers: {x: {apikey: canary}}",
        "providers: {x: {api_key: {value: canary}}}",
        "api_keys: {me: canary}",
        "upstream_key: canary",
    ],
)
def test_the_value_of_a_setting_that_there_is_not_is_unsaid(tmp_path: Path, content: str) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(content)

    with pytest.raises(ConfigError, match="a setting that exists") as caught:
        load(TRUNKLINE_CONFIG=str(file))

    assert "canary" not in str(caught.value)


def test_the_value_of_a_misspelled_variable_is_unsaid() -> None:
    with pytest.raises(ConfigError, match="APIKEY") as caught:
        load(TRUNKLINE_PROVIDERS__ACME__APIKEY="canary")

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "[1]",
        "a: [",
        "no_such_setting: 1",
        "providers: {x: {no: 1}}",
        "retries: 2001-99-99",
        f"retries: {'9' * 5000}",
        "timeouts: &t {connect: *t}",
        "[" * 5000,
    ],
    ids=range(8),
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(content)

    with pytest.raises(ConfigError):
        load(TRUNKLINE_CONFIG=str(file))


def test_a_variable_that_is_no_setting_is_noticed_and_no_error() -> None:
    """Orchestrators set TRUNKLINE_PORT and the like by the name of a service."""
    assert load(TRUNKLINE_PORT="tcp://10.0.0.1:80").unknown_variables == ("TRUNKLINE_PORT",)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TRUNKLINE_API_KEY", "TRUNKLINE_API_KEYS"),
        ("TRUNKLINE_TIMEOUTS__CONECT", "TRUNKLINE_TIMEOUTS__CONNECT"),
    ],
)
def test_a_misspelled_variable_is_an_error_that_says_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*did you mean {meant}"):
        load(**{name: "some-value"})


@pytest.mark.parametrize(
    "name",
    [
        "TRUNKLINE_PROVIDERS__ACME__BASEURL",
        "TRUNKLINE_TIMEOUTS__SNOOZE",
        "TRUNKLINE_LIMITS__PATIENCE",
    ],
)
def test_an_unknown_setting_of_a_known_section_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(**{name: "1"})


def test_blank_keys_are_a_mistake_and_no_open_door() -> None:
    with pytest.raises(ConfigError, match="TRUNKLINE_API_KEYS"):
        load(TRUNKLINE_API_KEYS=" ")


@pytest.mark.parametrize("origin", ["example.org", "https://a/b", "https://a?x"])
def test_an_origin_that_no_browser_sends_is_an_error(origin: str) -> None:
    with pytest.raises(ConfigError, match="TRUNKLINE_CORS_ORIGINS"):
        load(TRUNKLINE_CORS_ORIGINS=origin)


def test_empty_variables_count_as_unset() -> None:
    assert load(MODEL_LIST_URL="", TRUNKLINE_HTTP_PORT=" ").edge.http_port == 8080


def test_no_secret_is_in_the_text_of_the_configuration() -> None:
    config = load(
        TRUNKLINE_API_KEYS="canary-1",
        OPENAI_API_KEY="canary-2",
        UPSTREAM_API_KEY="canary-3",
        MODEL_LIST_AUTHORIZATION="canary-4",
        TRUNKLINE_PROVIDERS__X__API_KEY="canary-5",
    )

    assert "canary" not in repr(config)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False)],
)  # fmt: skip
def test_loopback_is_this_machine_alone(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_beyond_loopback_keys_are_required_and_both_variables_named() -> None:
    with pytest.raises(ConfigError, match=r"TRUNKLINE_HTTP_HOST.*TRUNKLINE_API_KEYS"):
        require_keys(load().router, ("TRUNKLINE_HTTP_HOST", "0.0.0.0"))
    require_keys(load(TRUNKLINE_API_KEYS="some-key").router, ("TRUNKLINE_HTTP_HOST", "0.0.0.0"))


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("10.0.0.1:1", "10.0.0.1:1"),
        ("router:50051", "router:50051"),
        ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("localhost:1,127.0.0.2:2", "ipv4:127.0.0.1:1,127.0.0.2:2"),
        ("[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2"),
        ("unix:/run/router", "unix:/run/router"),
    ],
)
def test_routers_are_one_address_a_list_or_a_target(value: str, target: str) -> None:
    assert load(TRUNKLINE_ROUTER=value).edge.router_target == target


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"AWS_REGION": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "https://bedrock-runtime.us-east-2.amazonaws.com"),
        (
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2"},
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        ({"AWS_REGION": " "}, None),
        ({}, None),
    ],
)
def test_a_region_tells_bedrocks_address(environ: dict[str, str], address: str | None) -> None:
    assert load(**environ).router.providers.preset_base_urls.get("bedrock") == address


def test_an_endpoint_tells_azures_address() -> None:
    told = load(AZURE_OPENAI_ENDPOINT="https://me.openai.azure.com/")
    assert told.router.providers.preset_base_urls == {"azure": "https://me.openai.azure.com/"}
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        load(AZURE_OPENAI_ENDPOINT="me.openai.azure.com")


def test_fallbacks_are_read_from_the_file_with_names_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(
        "fallbacks:\n"
        "  GPT-4o: [Claude/3, other]\n"
        "  short: other\n"
        "  '*': {general: last, context_window: [long], content_policy: lax}\n"
    )
    policy = load(TRUNKLINE_CONFIG=str(file)).router.policy

    assert policy.fallbacks_of("GPT-4o") == Fallbacks(("Claude/3", "other"))
    assert policy.fallbacks_of("short") == Fallbacks(("other",))
    assert policy.fallbacks_of("anything") == Fallbacks(("last",), ("long",), ("lax",))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fallbacks: other", "fallbacks"),
        ("fallbacks: {m: []}", "fallbacks.m.general"),
        ("fallbacks: {m: [1]}", "fallbacks.m.general"),
        ("fallbacks: {m: {timeout: n}}", "fallbacks.m"),
        ("balancing: best", "balancing"),
        ("retries: 11", "retries"),
        ("retries: -1", "retries"),
        ("limits: {concurrency: 0}", "limits.concurrency"),
        ("providers: {p: {max_concurrency: many}}", "providers.p.max_concurrency"),
    ],
)
def test_what_routing_cannot_use_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=named):
        load(TRUNKLINE_CONFIG=str(file))


@pytest.mark.parametrize(
    "text", ["retries: 1\nretries: 2\n", "providers:\n  p: {base_url: 'http://a'}\n  p: {}\n"]
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError, match="valid YAML"):
        load(TRUNKLINE_CONFIG=str(file))


@pytest.mark.parametrize(
    "text",
    ["api_keys: true", "api_keys: [1, 2]", "providers: {p: {headers: {x: null}}}"],
)
def test_what_is_no_text_is_no_credential(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trunkline.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError):
        load(TRUNKLINE_CONFIG=str(file))


def test_fallbacks_are_found_by_any_name_of_a_model() -> None:
    policy = Policy(fallbacks={"alias": Fallbacks(("n",)), "*": Fallbacks(("last",))})

    assert policy.fallbacks_of("id", "alias") == Fallbacks(("n",))
    assert policy.fallbacks_of("other") == Fallbacks(("last",))
    assert policy.named_models() == {"alias", "n", "last"}


def test_only_workers_share_their_ports() -> None:
    assert not load(TRUNKLINE_WORKERS="1").router.reuse_port
    config = load(TRUNKLINE_WORKERS="3")
    assert (config.workers, config.edge.reuse_port, config.router.reuse_port) == (3, True, True)
    with pytest.raises(ConfigError, match=r"TRUNKLINE_WORKERS.*whole number from 1"):
        load(TRUNKLINE_WORKERS="0")
