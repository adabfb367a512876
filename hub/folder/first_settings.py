"""The hub.toml that a new hub gets: every setting with its default and one line that explains it."""

from typing import Final

from hub.core.rules.preset_form import Preset
from hub.folder.backup_settings import BACKUP_TEXT
from hub.folder.elsewhere.broker_sites import SITES_TEXT
from hub.folder.elsewhere.public_settings import PUBLIC_TEXT
from hub.folder.elsewhere.store_settings import STORE_TEXT
from hub.folder.intake_settings import INTAKE_TEXT
from hub.folder.mail_settings import MAIL_TEXT
from hub.folder.retention_settings import RETENTION_TEXT
from hub.folder.verify_settings import VERIFY_TEXT
from hub.folder.watching.tables import WATCH_TEXT
from hub.storage.records import Coop

UNTIL_SHARES: Final = "proportional"
"""How a co-op shares until its members have agreed on the shares that its preset needs."""


def settings_text(coop: Coop, preset: Preset | None = None) -> str:
    """The hub.toml of a new hub: the settings with their defaults, ready to edit; how it shares is the preset's.

    A preset that needs members' shares gives step and netting only: there are no members yet.
    """
    method, aggregate, netting = UNTIL_SHARES, 1, "none"
    if preset is not None:
        method = preset.method if preset.needs_no_member else UNTIL_SHARES
        aggregate, netting = preset.aggregate, preset.netting
    return f"""# The settings of this hub. Each line explains itself; times of day are local to coop.tz.

[coop]
id = "{coop.id}"                # cannot be changed later: every message contains it
name = {_quoted(coop.name)}
tz = "{coop.tz}"      # cannot be changed later: it decides where a day ends
currency = "{coop.currency}"
plants = []                # the co-op's own plants, by home: they are nobody's home

[web]
host = "127.0.0.1"
port = 8400
https = false              # true when a proxy in front of the hub speaks HTTPS
names = []                 # other host names of the hub, like "hub.example.org"; its own and any address work anyway

[broker]
kind = "auto"              # auto (mosquitto, else iotcore), iotcore (built in), mosquitto, rabbitmq or external
host = "127.0.0.1"
port = 1883
{SITES_TEXT}{PUBLIC_TEXT}{INTAKE_TEXT}{BACKUP_TEXT}{RETENTION_TEXT}{VERIFY_TEXT}
# [weather]                # without it, forecasts use no weather
# url = "http://127.0.0.1:8500/v1/forecast"
# latitude = 41.4
# longitude = 2.2

[rules]                    # the rulebook's first version only, read once; later ones: commonwatt-hub rules propose
                           # prices in millionths per kWh
method = "{method}"
buy_micro_per_kwh = 200000
sell_micro_per_kwh = 140000
retail_micro_per_kwh = 300000
feedin_micro_per_kwh = 80000
estimate = "none"          # how missing readings are filled: none, straight_line or same_time_of_week
estimate_longest = 4       # the most quarter hours in a row that are estimated
aggregate = {aggregate}              # quarter hours that are shared as one: 1, or 4 to share by the hour
{f'netting = "{netting}"':27}# each home's taken and given are netted before sharing: none, 15min or 60min
derived_wh = 0             # energy that agents derive counts if it is off by at most this, in Wh, ...
derived_percent = 0        # ... or this part of it; 50 and 10 admit what agents state, 0 and 0 nothing derived
part_month_fee = "by_day"  # the fee of who joins or leaves within a month: by_day, full_month or first_full_month

[calendar]                 # public holidays: no runs are due on them, and use is forecast as on a Sunday
holidays = []              # "12-25" for every year, "2026-04-03" for one year only

# [bank]                   # without it, commonwatt-hub payments writes no payment file
# name = "Sunny Street"    # the holder of the co-op's account
# iban = "DE89370400440532013000"
# creditor_id = ""         # the co-op's SEPA creditor identifier; without it nothing is collected
# smallest_cent = 100      # smaller amounts wait for a later month
# netting = true           # false: credits are paid out and debits collected separately
{MAIL_TEXT}{WATCH_TEXT}{STORE_TEXT}
# [quality]                # the most each home's panels can produce, in W: {{"h01": {{"pv_production": 6000}}}}
# plates_file = "plates.json"
"""


def _quoted(text: str) -> str:
    # A name is one printable line (is_name), so a TOML basic string needs only these two escapes.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
