"""Secrets are told by the names that they stand under, and from URLs."""

import importlib
import inspect
from typing import Final

import pytest

from ingestd.loading import Loader
from ingestd.redaction import find_secrets, in_url, looks_secret

SECRET_NAMES = """
    password PASSWD db_password clientSecret token access_token api_key apikey X-Api-Key APIKey key
    authorization Authorization credential private_key cookie Set-Cookie storeKey DCS_PASSWORD
    passphrase pwd passkey PASSKEY pass_key
    application_key mqtt_pass admin_pw user_pwd psk pin jwt session_id sessionid wifi_psk wifiPSK
    device_pin sig signature auth mqttPassword APP_KEY appkey bearer_token cookies access-token
    api_keys store_keys session accessTokens user_secret smtp.password
"""
OTHER_NAMES = """
    user username keyboard series_key key_columns author keys token_file token_url password_file
    token_ttl url
    monkey 1 passenger registers passive pinned pinning signal signed design tokenize tokenizer
    compass bypass spinner opinion authority keyword keypad passage passing pinhole assign
    secretary public_key sort_key gpio_pin low_pass high_pass_filter token_type auth_method
    session_timeout session_expiry pass_count sig_figs keyed turkey keep_alive key_file cert_file
    client_id client_auth code error_code codec decode psychology jwt_algorithm key_column
    cookie_name
"""


@pytest.mark.parametrize("key", SECRET_NAMES.split())
def test_names_that_sound_secret(key: str) -> None:
    """Common names of secrets are recognised in any spelling."""
    assert looks_secret(key)


@pytest.mark.parametrize("key", ["", *OTHER_NAMES.split()])
def test_names_that_do_not(key: str) -> None:
    """Other names are left alone, also those that say something about a secret."""
    assert not looks_secret(key)


def test_secrets_are_found_by_name_at_any_depth() -> None:
    """Everything below a name that sounds secret is one, except flags and fractions."""
    params = {
        "url": "https://example.org",
        "headers": {"Authorization": "Bearer abc.def", "Accept": "text/plain"},
        "accounts": [{"user": "reader", "password": 12345}],
        "cookies": {"session": ["s1", b"s2"], "secure": True},
    }

    assert find_secrets(params) == {"Bearer abc.def", "abc.def", "12345", "s1", "s2"}


def test_how_a_client_opens_a_source_is_no_secret() -> None:
    """A word such as ``body`` would be masked in every message."""
    oauth2 = {"token_url": "https://h/token", "client_id": "site", "client_secret": "s3cret"}
    harmless = {"client_auth": "body", "scope": "read_station", "audience": "meters"}

    assert find_secrets({"auth": {"oauth2": {**oauth2, **harmless}}}) == {"s3cret"}


def test_secrets_are_found_in_urls() -> None:
    """Passwords and query values that sound secret are found, also where they are encoded."""
    assert find_secrets({"url": "https://reader:p%40ss@h/x?api_key=k3y&site=roof"}) == {
        "reader:p%40ss",
        "p%40ss",
        "p@ss",
        "k3y",
    }
    assert find_secrets(["mqtt://t0ken@h", "no url", "http://[broken@"]) == {"t0ken"}


@pytest.mark.parametrize("name", ["appid", "sig", "code", "apikey", "api_key", "key", "p", "token"])
def test_names_that_are_secret_in_queries(name: str) -> None:
    """The services that want them there leave no doubt; elsewhere a code may be any number."""
    assert in_url(f"https://h/x?site=roof&{name}=s3cr3t") == {"s3cr3t"}


def test_what_belongs_to_a_secret_need_not_be_one() -> None:
    """The type of a token and the name of a user are ordinary words, and stay readable."""
    auth = {"type": "basic", "username": "reader", "password": "hunter22", "scope": "readings"}

    assert find_secrets({"auth": auth, "tokens": {"a": "t0ken", "expires_in": 3600}}) == {
        "hunter22",
        "t0ken",
    }


# What the params of shipped plugins are, each one looked at: a new one belongs in one of these.
SECRET_PARAMS: Final = """
    ambientweather.application_key ambientweather.api_key dcs.password ecobee.api_key ecobee.code
    exec.secrets execd.secrets
    ecobee.refresh_token ecobee.tokens enphase.api_key enphase.client_secret enphase.code
    enphase.refresh_token enphase.tokens http_json.auth http_json.tokens http_push.store_keys
    mqtt.password
    okofen.password sql.password tom.auth
"""
HARMLESS_PARAMS: Final = """
    ambientweather.stations ambientweather.fields ambientweather.lookback ambientweather.pause
    ambientweather.url ambientweather.newest
    dcs.url dcs.api dcs.username dcs.registers dcs.max_window dcs.since dcs.period dcs.values
    dcs.calibrated dcs.interpolated dcs.skip dcs.local_time dcs.decimal_places dcs.series
    dcs.tags dcs.status dcs.revisit dcs.revisit_full dcs.full dcs.again dcs.names dcs.only
    dcs.renamed dcs.source
    ecobee.thermostats ecobee.columns ecobee.sensors ecobee.lookback ecobee.overlap ecobee.url
    ecobee.newest ecobee.revisions ecobee.changed ecobee.names
    enphase.client_id enphase.systems enphase.redirect_uri enphase.telemetry enphase.lookback
    enphase.overlap enphase.pause enphase.url enphase.newest
    exec.backfills exec.charset exec.command exec.csv exec.cwd exec.decimal exec.env
    exec.exit_codes exec.fields exec.format exec.hold exec.initial exec.layout exec.lookback
    exec.max_bytes exec.member exec.newest exec.nothing exec.overlap exec.params exec.records
    exec.series exec.since_format exec.since_timezone exec.spent exec.state exec.stdin exec.tags
    exec.time exec.time_format exec.time_plus exec.time_step exec.timezone exec.units exec.value
    exec.values     exec.words
    execd.command execd.cwd execd.decimal execd.env execd.fields execd.format execd.initial
    execd.interval execd.layout execd.max_line execd.nothing execd.params execd.records
    execd.series execd.signal execd.spent execd.state execd.stdin execd.stop_within execd.tags
    execd.time execd.time_format execd.time_plus execd.time_step execd.timezone execd.units
    execd.value execd.values execd.words
    files.after files.charset files.csv files.decimal files.earlier files.fields files.follow
    files.format files.ignore files.layout files.looked files.max_bytes files.member files.move_to
    files.nothing files.path files.positions files.read files.reading files.records
    files.refused files.series files.settle files.shape files.sheet files.tags files.time
    files.time_format files.time_plus files.time_step files.timezone files.units files.value
    files.values
    files.words
    http_json.url http_json.method http_json.headers http_json.query http_json.body
    http_json.paging http_json.max_pages http_json.max_bytes http_json.records http_json.time
    http_json.time_format http_json.timezone http_json.series http_json.value http_json.values
    http_json.tags http_json.since_param http_json.until_param http_json.since_format
    http_json.overlap http_json.lookback http_json.order http_json.newest http_json.charset
    http_json.hold http_json.revisit http_json.member http_json.csv http_json.decimal
    http_json.fields http_json.format http_json.layout http_json.nothing http_json.patience
    http_json.since_timezone http_json.span http_json.units http_json.words http_json.ahead
    http_json.no_data http_json.time_plus http_json.time_step http_json.error
    http_push.routes http_push.timezone http_push.listen http_push.path http_push.tls
    http_push.formats http_push.replies http_push.max_body http_push.max_waiting
    http_push.max_waiting_bytes http_push.rate http_push.answer_within http_push.read_within
    http_push.decode http_push.otlp http_push.weather
    modbus.devices modbus.host modbus.port modbus.framing modbus.serial modbus.baudrate
    modbus.parity modbus.stopbits modbus.unit modbus.registers modbus.word_order
    modbus.byte_order modbus.nothing modbus.max_gap modbus.max_registers modbus.request_timeout
    modbus.retries modbus.ca_file modbus.cert_file modbus.exclude modbus.insecure
    modbus.key_file modbus.only modbus.pause_after_connect modbus.pause_between modbus.profile
    modbus.sunspec modbus.transport
    mqtt.time_plus mqtt.time_step mqtt.charset mqtt.csv mqtt.fields mqtt.format mqtt.layout
    mqtt.records
    mqtt.member mqtt.url mqtt.topics mqtt.username mqtt.ca_file mqtt.cert_file mqtt.key_file
    mqtt.insecure mqtt.protocol mqtt.client_id mqtt.keepalive mqtt.session_expiry mqtt.presence
    mqtt.qos mqtt.series mqtt.value mqtt.values mqtt.time mqtt.time_format mqtt.timezone
    mqtt.tags mqtt.words mqtt.nothing mqtt.decimal mqtt.units mqtt.retained mqtt.max_held
    mqtt.max_held_bytes mqtt.linger mqtt.subscribed mqtt.described
    okofen.url okofen.live okofen.logs okofen.timezone okofen.site okofen.fields okofen.lookback
    okofen.pause okofen.newest
    sql.decimal sql.file sql.hold sql.id sql.last_id sql.lookback sql.newest sql.nothing
    sql.options sql.overlap sql.query sql.request_timeout sql.revisit sql.series
    sql.since_format sql.table sql.tags sql.time sql.time_format sql.timezone sql.units sql.url
    sql.user sql.value sql.values sql.words
    system.parts system.mounts system.interfaces system.boot system.uptime system.counters
    tom.observations tom.observed tom.data_types tom.page tom.revisit_full
    tom.seen tom.series tom.since_days tom.tags tom.targets tom.url
"""


def params() -> set[str]:
    """Return every param of every shipped plugin, as plugin and name."""
    found = set()
    for plugin in Loader([]).available():
        module = importlib.import_module(f"ingestd.plugins.{plugin.name}")
        declared = inspect.signature(module.run).parameters.values()
        names = {each.name for each in declared if each.kind is each.KEYWORD_ONLY}
        found |= {f"{plugin.name}.{name}" for name in names - {"ctx", "start", "end"}}
    return found


def test_every_param_of_shipped_plugins_is_declared() -> None:
    """Each was looked at once, and is secret or harmless."""
    declared = [*SECRET_PARAMS.split(), *HARMLESS_PARAMS.split()]

    assert sorted(declared) == sorted(params())


@pytest.mark.parametrize("param", SECRET_PARAMS.split())
def test_secret_params_of_shipped_plugins_are_found(param: str) -> None:
    """What stands under such a param is masked wherever it turns up."""
    assert find_secrets({param.partition(".")[2]: {"a": ["s3cr3t"]}}) == {"s3cr3t"}


@pytest.mark.parametrize("param", HARMLESS_PARAMS.split())
def test_other_params_of_shipped_plugins_are_shown(param: str) -> None:
    """What stands under such a param is no secret."""
    assert find_secrets({param.partition(".")[2]: ["word"]}) == set()
