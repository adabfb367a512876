"""Every wrong configuration gives one line that names file, key and what was expected."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.devices.assembly import MAPS, make_fleet
from edge_agent.settings import Endpoint, parse_endpoint, parse_settings, read_settings, require_close_readings
from protocols.errors import SettingsError

GOOD = """
[hub]
url = "http://127.0.0.1:8400"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
"""


def parse(text: str, folder: Path = Path()) -> object:
    return parse_settings(text.encode(), name="agent.toml", folder=folder)


def test_defaults() -> None:
    settings = parse_settings(GOOD.encode(), name="agent.toml", folder=Path("there"))
    assert settings.data == Path("there/data")
    assert (settings.interval_s, settings.boundary_window_s, settings.keep_days) == (60, 60, 7)
    device = settings.devices[0]
    assert (device.unit, device.roles, device.invert, device.sign) == (1, ("grid",), False, "as_documented")
    assert device.endpoint == Endpoint("tcp", "127.0.0.1", 5020)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[hub]", "[hub"), "not valid TOML"),
        (("http://127.0.0.1:8400", "ftp://x"), "url: expected an address like"),
        (("http://127.0.0.1:8400", "http://me:secret@x"), "url: expected"),
        (("[hub]", "[hub]\ncolour = 1"), "unknown key 'colour'"),
        (('name = "meter"', 'name = "My Meter"'), "name: expected 1 to 32 of a-z"),
        (('map = "eastron-sdm630"', 'map = "../../secret"'), "map: expected a device family"),
        (('role = "grid"', 'role = "moon"'), "role: expected one of grid, pv, wind, battery, load"),
        (('role = "grid"', 'role = ["grid", "grid"]'), "role: expected"),
        (('role = "grid"', ""), "role: missing"),
        (("tcp://127.0.0.1:5020", "127.0.0.1:5020"), "connect: expected 'tcp://host:port'"),
        (("tcp://127.0.0.1:5020", "tcp://127.0.0.1:99999"), "connect: expected"),
        (("tcp://127.0.0.1:5020", "rtu:///dev/ttyUSB0?baud=12"), "connect: expected"),
        (("tcp://127.0.0.1:5020", "rtu:///dev/ttyUSB0?speed=9600"), "connect: expected"),
        (("max_power_w = 15000", ""), "max_power_w: missing"),
        (("max_power_w = 15000", "max_power_w = -1"), "max_power_w: expected a whole number"),
        (("max_power_w = 15000", 'max_power_w = 15000\nunit = "one"'), "unit: expected a whole number 0..255"),
        (("max_power_w = 15000", f"max_power_w = {'1' * 5000}"), "not valid TOML"),
        (("http://127.0.0.1:8400", "http://[::1"), "url: expected an address like"),
        (("http://127.0.0.1:8400", "http://127.0.0.1:99999"), "url: expected an address like"),
        (("http://127.0.0.1:8400", "http://h:0"), "url: expected an address like"),
        (("http://127.0.0.1:8400", "http://my hub"), "url: expected an address like"),
        (("http://127.0.0.1:8400", "http://a..b/"), "url: expected an address like"),
        (("tcp://127.0.0.1:5020", "tcp://a..b"), "connect: expected"),
        (("tcp://127.0.0.1:5020", "tcp://my meter"), "connect: expected"),
        (("tcp://127.0.0.1:5020", f"tcp://{'m' * 70}:502"), "connect: expected"),
        (("tcp://127.0.0.1:5020", "tcp://127.0.0.1:0"), "connect: expected"),
        (("[hub]", "[poll]\ninterval_s = 7\n[hub]"), "interval_s: expected a divisor of 900"),
        (("[hub]", "[poll]\ninterval_s = 450\n[hub]"), "interval_s: expected a divisor of 900 up to 60"),
        (("[hub]", "[poll]\ninterval_s = 900\n[hub]"), "interval_s: expected a divisor of 900 up to 60"),
        (("[hub]", "[poll]\nboundary_window_s = 0\n[hub]"), "boundary_window_s: expected"),
    ],
)
def test_one_line_for_every_mistake(change: tuple[str, str], words: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(SettingsError) as caught:
        parse(GOOD.replace(*change))
    assert words in str(caught.value)
    assert str(caught.value).startswith("agent.toml")
    assert "\n" not in str(caught.value)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[hub]", "[hubb]"), "agent.toml: unknown key 'hubb', did you mean 'hub'?"),
        (('url = "http', 'ulr = "http'), "agent.toml hub: unknown key 'ulr', did you mean 'url'?"),
        (("[hub]", "[pol]\n[hub]"), "agent.toml: unknown key 'pol', did you mean 'poll'?"),
        (("[hub]", "[poll]\ninterval = 60\n[hub]"), "agent.toml poll: unknown key 'interval', did you mean"),
        (("[hub]", "[outbox]\nmax = 5\n[hub]"), "agent.toml outbox: unknown key 'max'"),
        (('name = "meter"', 'nam = "meter"'), "unknown key 'nam', did you mean 'name'?"),
        (("max_power_w", "max_power_kw"), "'meter': unknown key 'max_power_kw', did you mean 'max_power_w'?"),
        (("[hub]", '"a\\nb" = 1\n[hub]'), "agent.toml: unknown key 'a\\nb'"),
    ],
)
def test_an_unknown_key_is_named_before_the_one_that_is_missing(change: tuple[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(GOOD.replace(*change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_a_simulated_street_may_be_read_seldom(tmp_path: Path) -> None:
    require_close_readings(parse(GOOD.replace("[hub]", "[poll]\ninterval_s = 60\n[hub]")))
    config = tmp_path / "agent.toml"
    config.write_text(GOOD.replace("[hub]", "[poll]\ninterval_s = 75\n[hub]"))
    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "[poll] interval_s: 75 is too long: expected at most 60" in told.stderr
    followed = subprocess.run(
        [*command, "--clock", str(tmp_path / "none")], capture_output=True, text=True, timeout=60, check=False
    )
    assert "too long" not in followed.stderr


def test_a_byte_order_mark_changes_nothing() -> None:
    with_mark = parse_settings(b"\xef\xbb\xbf" + GOOD.encode(), name="agent.toml", folder=Path())
    assert with_mark == parse_settings(GOOD.encode(), name="agent.toml", folder=Path())


def test_two_grid_meters_would_count_twice() -> None:
    second = GOOD[GOOD.index("[[device]]") :].replace('"meter"', '"inverter"').replace("5020", "5021")
    with pytest.raises(SettingsError, match="'meter' and 'inverter' both measure the grid"):
        parse(GOOD + second)
    parse(GOOD + second.replace('"grid"', '"pv"'))


def test_one_unit_in_one_role_is_read_under_one_name() -> None:
    sun = GOOD[GOOD.index("[[device]]") :].replace('"meter"', '"sun"').replace('"grid"', '"load"')
    with pytest.raises(SettingsError, match="'sun' and 'moon' are the same unit in the same role load"):
        parse(GOOD + sun + sun.replace('"sun"', '"moon"'))
    parse(GOOD + sun + sun.replace('"sun"', '"moon"') + "unit = 2\n")


def test_no_instance_is_the_first_instance() -> None:
    sun = GOOD[GOOD.index("[[device]]") :].replace("meter", "sun").replace("eastron-sdm630", "sunspec-inverter")
    sun = sun.replace('"grid"', '"pv"')
    moon = sun.replace('"sun"', '"moon"')
    with pytest.raises(SettingsError, match="'sun' and 'moon' are the same unit in the same role pv"):
        parse(GOOD + sun + moon + "instance = 1\n")
    parse(GOOD + sun + "instance = 1\n" + moon + "instance = 2\n")


def test_no_devices_and_doubled_names() -> None:
    with pytest.raises(SettingsError, match=r"at least one \[\[device\]\]"):
        parse('[hub]\nurl = "http://h"\n')
    with pytest.raises(SettingsError, match="'meter' twice"):
        parse(GOOD + GOOD[GOOD.index("[[device]]") :])


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a" * 70_000])
def test_files_that_are_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "agent.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"agent\.toml"):
        read_settings(path)


def test_endpoints() -> None:
    assert parse_endpoint("tcp://meter.local") == Endpoint("tcp", "meter.local", 502)
    assert parse_endpoint("rtu+tcp://10.0.0.9:8899") == Endpoint("rtu+tcp", "10.0.0.9", 8899)
    assert parse_endpoint("ascii+tcp://10.0.0.9") == Endpoint("ascii+tcp", "10.0.0.9", 502)
    assert parse_endpoint("udp://10.0.0.9") == Endpoint("udp", "10.0.0.9", 502)
    assert parse_endpoint("ascii:///dev/ttyUSB0?baud=9600") == Endpoint("ascii", path="/dev/ttyUSB0", baud=9600)
    tls = parse_endpoint("tls+tcp://10.0.0.9?certificate=/etc/commonwatt/it.pem")
    assert tls == Endpoint("tls+tcp", "10.0.0.9", 802, certificate="/etc/commonwatt/it.pem")
    assert tls.shown == "tls+tcp://10.0.0.9:802"
    for wrong in (
        "tls+tcp://10.0.0.9", "tls+tcp://10.0.0.9?certificate=it.pem", "tls+tcp://10.0.0.9?key=/x",
        "tcp://10.0.0.9?certificate=/etc/it.pem", "ascii://10.0.0.9/dev", "udp:///dev/ttyUSB0",
    ):  # fmt: skip
        with pytest.raises(ValueError):
            parse_endpoint(wrong)
    six = parse_endpoint("tcp://[fe80::1]:502/")
    assert (six.host, six.shown) == ("fe80::1", "tcp://[fe80::1]:502")
    assert parse_endpoint("tcp://zähler.local").host == "zähler.local"
    serial = parse_endpoint("rtu:///dev/ttyUSB0?baud=19200&parity=E&stop=2")
    assert (serial.path, serial.baud, serial.parity, serial.stop) == ("/dev/ttyUSB0", 19200, "E", 2)


def fleet(text: str) -> list[tuple[int, float, float]]:
    made = make_fleet(parse_settings(text.encode(), name="agent.toml", folder=Path()))
    return [(len(devices), link.line.timeout_s, link.line.request_gap_s) for link, devices in made]


def test_devices_on_one_host_share_a_connection_and_the_longest_pauses() -> None:
    second = GOOD[GOOD.index("[[device]]") :].replace("meter", "sun").replace("eastron-sdm630", "huawei-sun2000")
    second = second.replace('"grid"', '"pv"')
    third = second.replace('"sun"', '"moon"').replace("5020", "5021")
    assert fleet(GOOD + second + third) == [(2, 10.0, 0.06), (1, 10.0, 0.05)]


def test_families_and_roles_are_checked_against_the_maps() -> None:
    with pytest.raises(SettingsError, match="no family 'eastron-sdm999', did you mean 'eastron-sdm"):
        fleet(GOOD.replace("sdm630", "sdm999"))
    with pytest.raises(SettingsError, match="bornay-wind-plus has no 'grid', expected one of wind"):
        fleet(GOOD.replace("eastron-sdm630", "bornay-wind-plus"))


def test_signs_that_nobody_can_choose_are_said_before_anything_is_read() -> None:
    with pytest.raises(SettingsError, match=r"device 'meter': sign: expected 'as_documented'"):
        fleet(GOOD + 'sign = "inverted"\n')
    inverter = GOOD.replace("eastron-sdm630", "sunspec-inverter").replace('"grid"', '"pv"')
    with pytest.raises(SettingsError, match=r"device 'meter': invert: expected false, the role pv of sunspec-inverter"):
        fleet(inverter + "invert = true\n")
    for role in ("grid", "pv", "battery", "load"):
        fleet(GOOD.replace('"grid"', f'"{role}"') + "invert = true\n")
    fleet(GOOD.replace("eastron-sdm630", "sunspec-meter") + 'sign = "inverted"\n')


def test_only_a_chain_has_instances() -> None:
    with pytest.raises(
        SettingsError, match=r"device 'meter': instance: eastron-sdm630 has no chain .* leave this line"
    ):
        fleet(GOOD + "instance = 1\n")
    fleet(GOOD.replace("eastron-sdm630", "sunspec-meter") + "instance = 1\n")


def test_a_variant_is_one_of_those_its_map_has(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="device 'meter': map eastron-sdm630: variant: expected none, this family"):
        fleet(GOOD + 'variant = "old"\n')
    with pytest.raises(SettingsError, match="variant: expected the name of a variant, found 'Old 1'"):
        fleet(GOOD + 'variant = "Old 1"\n')
    shipped = (MAPS / "eastron-sdm630.toml").read_text(encoding="utf-8")
    more = '\n[[variants]]\nname = "slow"\ntitle = "S"\ntransport = { timeout_ms = 4000 }\nwithout = ["roles.load"]\n'
    (tmp_path / "eastron-sdm630.toml").write_text(shipped + more, encoding="utf-8")
    chosen = GOOD + 'variant = "slow"\n'
    (made,) = make_fleet(parse_settings(chosen.encode(), name="agent.toml", folder=Path()), tmp_path)
    assert made[0].line.timeout_s == 4
    with pytest.raises(SettingsError, match="role: eastron-sdm630 has no 'load'"):
        make_fleet(parse_settings(chosen.replace('"grid"', '"load"').encode(), name="a", folder=Path()), tmp_path)


def test_one_bus_has_one_speed() -> None:
    first = GOOD.replace("tcp://127.0.0.1:5020", "rtu:///dev/ttyUSB0?baud=9600")
    second = first[first.index("[[device]]") :].replace("meter", "other").replace("9600", "19200")
    second = second.replace('"grid"', '"load"\nunit = 2')
    with pytest.raises(SettingsError, match="expected the same baud, parity and stop on one bus"):
        fleet(first + second)
    with pytest.raises(SettingsError, match="same baud, parity and stop"):
        fleet(first + second.replace("eastron-sdm630", "bornay-wind-plus").replace('"load"', '"wind"'))


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"agent.toml is not there: `commonwatt-agent setup` writes it"):
        read_settings(tmp_path / "agent.toml")
