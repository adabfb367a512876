"""A meter at a real broker, read as the agent reads every device: fresh values, kept ones, silence, a lost broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.broker_values.link import BrokerValuesLink
from edge_agent.devices.line import LinkBrokenError, RegisterLink
from edge_agent.devices.reader import Device
from edge_agent.devices.readout import as_table
from edge_agent.settings import parse_settings
from protocols.errors import SettingsError
from tests.edge_agent.hand_clock import until
from tests.edge_agent.home_mosquitto import PASSWORD, USER, Listener, home_broker, listening, needs_mosquitto

pytestmark = needs_mosquitto


def config(port: int, *, name: str = "meter", more: str = "timeout_ms = 400") -> str:
    return f"""
[[device]]
name = "{name}"
map = "mqtt-meter"
role = "load"
connect = "mqtt://127.0.0.1:{port}"
username = "{USER}"
password_file = "pw"
max_power_w = 9000
max_age_s = 5
topics = {{ import = "{name}/kwh", power = "{name}/w" }}
{more}
"""


@contextlib.asynccontextmanager
async def fleet(folder: Path, text: str) -> AsyncIterator[list[tuple[RegisterLink, list[Device]]]]:
    (folder / "pw").write_text(PASSWORD)
    (folder / "pw").chmod(0o600)
    found = make_fleet(parse_settings(text.encode(), name="agent.toml", folder=folder))
    try:
        yield found
    finally:
        for link, _ in found:
            await link.close()


async def fails(device: Device, link: RegisterLink) -> str:
    with pytest.raises(LinkBrokenError) as caught:
        await device.read_places(link)
    return str(caught.value)


async def tell(heard: Listener, kwh: str, power: str, *, is_retained: bool = False) -> None:
    for topic, text in (("meter/kwh", kwh), ("meter/w", power)):
        await asyncio.to_thread(heard.publish, topic, text, is_retained=is_retained)


async def test_a_reading_takes_what_is_told_after_it_was_asked_for(tmp_path: Path) -> None:
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        async with fleet(tmp_path, config(broker.port, more="timeout_ms = 20000")) as [(link, [device])]:
            reading = asyncio.create_task(device.read_places(link))
            await until(lambda: link.opened, 30, "the subscription")
            await tell(heard, "12.5", "840")
            found = await reading
            assert "does not look like" not in as_table(device, found)
            (sample,) = device.samples(found, 0.0).values()
            assert (sample.counters_wh, sample.power_w) == ({"import_wh": 12500}, 840)


async def test_what_the_broker_kept_is_not_taken_for_a_reading(tmp_path: Path) -> None:
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        await tell(heard, "99", "3000", is_retained=True)
        async with fleet(tmp_path, config(broker.port)) as [(link, [device])]:
            assert "no " in await fails(device, link)
            await until(lambda: link.opened, 30, "the subscription")
            assert "no new value at meter/kwh, meter/w" in await fails(device, link)
            await tell(heard, "100", "10")
            await device.read_places(link)


async def test_a_lost_broker_is_said_and_found_again_and_nothing_old_is_told(tmp_path: Path) -> None:
    with home_broker(tmp_path) as broker:
        async with fleet(tmp_path, config(broker.port)) as [(link, [device])]:
            with listening(broker.port) as heard:
                assert "no " in await fails(device, link)
                await until(lambda: link.opened, 30, "the subscription")
                await tell(heard, "100", "10")
                await device.read_places(link)
            broker.stop()
            assert isinstance(link, BrokerValuesLink)
            await until(lambda: not link._session.is_up, 30, "the loss")
            assert "the home's broker: " in await fails(device, link)
            broker.start()
            await until(lambda: link.opened == 2, 60, "the subscription again")


async def test_two_meters_at_one_broker_have_a_link_each_and_a_missing_password_is_one_line(tmp_path: Path) -> None:
    text = config(1883) + config(1883, name="heat-pump")
    async with fleet(tmp_path, text) as found:
        assert len(found) == 2
    with pytest.raises(
        SettingsError, match="are the same unit in the same role load, which would count its energy twice"
    ):
        parse_settings(text.replace("heat-pump/", "meter/").encode(), name="agent.toml", folder=tmp_path)
    (tmp_path / "pw").unlink()
    with pytest.raises(SettingsError, match=r"^agent\.toml: device 'meter': password_file: .*cannot be read"):
        make_fleet(parse_settings(text.encode(), name="agent.toml", folder=tmp_path))
