"""The timetable of this hub: which job runs when. The jobs themselves are in other modules."""

from functools import partial
from pathlib import Path
from typing import Final

from hub.backups.job import BackupJob
from hub.books.period_sums import PeriodSumsJob
from hub.core.ledger.signed_document import Signer
from hub.core.statements.seals import Seals
from hub.folder.addresses import members_address
from hub.folder.agents_address import whole_invitation
from hub.folder.keys.salt_key import load_own_secret, load_seals
from hub.folder.settings import HubSettings
from hub.forecasts.job import Forecaster, ForecastJob
from hub.forecasts.street_totals import StreetService, StreetTotalsJob
from hub.forecasts.thinning import ThinningJob
from hub.forecasts.weather import WeatherJob, WeatherSource
from hub.forecasts.worker import ForecastWorker
from hub.moving_out.leavers import LeaversJob
from hub.moving_out.retention import RetentionJob
from hub.notices.about_money import MoneyNotices
from hub.notices.about_trouble import WatchNotices
from hub.notices.invitation_mail import agent_install_lines
from hub.notices.sealing import SecretSeal
from hub.notices.sending import MailJob
from hub.notices.writing import MailWriter
from hub.processes.own_hub import OwnHub
from hub.processes.verification.job import VerificationJob
from hub.prompts.delivery import PromptSender, Publisher
from hub.prompts.job import PromptEffectJob, PromptJob, SendPrompt
from hub.quality.nameplate_limits import make_quality_check
from hub.settlement_job import SettlementJob
from hub.statements.credit_notices import CreditsJob, CreditsSender, SendCredits
from hub.statements.months import StatementService
from hub.statements.own_days import OwnDays
from hub.statements.prepared_days import PreparedDaysJob
from hub.storage.contract import Store
from hub.timetable import JobError, PlannedJob, daily, every, first_of, hourly
from hub.trust.authority import AuthorityError
from hub.trust.server_certificate import CertificateJob
from protocols.errors import IdentityError, RequestError
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock

OUTLOOK: Final = "outlook"
SETTLED: Final = "settled"
BACKUP_LIMIT_S: Final = 4 * 3600
VERIFICATION_LIMIT_S: Final = 12 * 3600
"""The first one opens everything that was ever stored."""
MAIL_EVERY_S: Final = 60
WATCH_EVERY_S: Final = 900
CREDIT_HOURS: Final = (0, 6, 12, 18)


def planned_backup(folder: Path, *, settings: HubSettings, clock: Clock) -> tuple[PlannedJob, ...]:
    """Every night, if the settings say where to: a backup of the whole folder."""
    if settings.backup is None:
        return ()
    job = BackupJob(folder, coop=settings.coop, settings=settings.backup, clock=clock)
    due = daily(settings.backup.hour, 15, tz=settings.coop.tz)
    return (PlannedJob("backup", due, job, time_limit_s=BACKUP_LIMIT_S),)


def planned_verification(folder: Path, *, settings: HubSettings, clock: Clock) -> tuple[PlannedJob, ...]:
    """When the other jobs of the night are through, every so many days: what is stored, from the last checkpoint on."""
    if not settings.verify_every_days:
        return ()
    job = VerificationJob(folder, clock=clock)
    due = daily(3, 40, tz=settings.coop.tz, every_days=settings.verify_every_days)
    return (PlannedJob("verification", due, job, time_limit_s=VERIFICATION_LIMIT_S),)


def planned_mail(folder: Path, store: Store, *, settings: HubSettings, clock: Clock) -> tuple[PlannedJob, ...]:
    """If the settings name a mail server: what waits is sent every minute, and what is new is queued before that.

    What is queued about trouble is planned by `planned_watch`.
    """
    if settings.mail is None:
        return ()
    pages = lambda: members_address(folder, settings)  # noqa: E731 - the port is known once the hub runs
    whole = partial(whole_invitation, settings)
    install = partial(agent_install_lines, folder, settings)
    seal = SecretSeal(load_own_secret(folder))
    writer = MailWriter(store, coop=settings.coop, seal=seal, pages=pages, whole=whole, install=install)
    sending = MailJob(store, settings=settings.mail, coop_name=settings.coop.name, writer=writer, clock=clock)
    return (
        PlannedJob("mail", every(MAIL_EVERY_S), sending),
        PlannedJob("mail about money", hourly(20), MoneyNotices(store, tz=settings.coop.tz, clock=clock)),
    )


def planned_watch(folder: Path, store: Store, *, settings: HubSettings, clock: Clock) -> tuple[PlannedJob, ...]:
    """If the settings name a mail server: mail about silence and trouble, some of which only this folder knows of."""
    if settings.mail is None:
        return ()
    watch = WatchNotices(
        store,
        folder=folder,
        plans_backup=settings.backup is not None,
        server_backup=None if settings.store is None else settings.store.backup,
        verifies_every_days=settings.verify_every_days,
        clock=clock,
    )
    return (PlannedJob("mail about trouble", every(WATCH_EVERY_S), watch),)


def planned_certificates(folder: Path, *, settings: HubSettings) -> tuple[PlannedJob, ...]:
    """Every hour, if homes elsewhere are served: the certificates' ends."""
    if settings.public is None:
        return ()
    job = CertificateJob(folder, names=settings.public.all_names)

    async def look(due_s: int) -> None:
        try:
            await job(due_s)
        except (AuthorityError, IdentityError) as error:
            # What is wrong with a file is for a person to read, in one line.
            raise JobError(str(error)) from None

    return (PlannedJob("certificates", hourly(20), look),)


def planned_credits(store: Store, *, settings: HubSettings, send: SendCredits, clock: Clock) -> tuple[PlannedJob, ...]:
    """Four times a day, and not before the settlement of the night is through: what each home's days came to."""
    tz = settings.coop.tz
    job = CreditsJob(store, days=OwnDays(store, plants=settings.plants), send=send, tz=tz, clock=clock)
    due = first_of(*(daily(hour, 50, tz=tz) for hour in CREDIT_HOURS))

    async def tell(due_s: int) -> None:
        try:
            await job(due_s)
        except RequestError as error:
            # Damaged books are for the board to read, in one line.
            raise JobError(str(error)) from None

    return (PlannedJob("credits", due, tell, lane=SETTLED),)


def planned_statements(store: Store, *, settings: HubSettings, key: HubSigner, seals: Seals) -> tuple[PlannedJob, ...]:
    """Four times a day, behind the settlement of the night: the days of members' statements that came new."""
    tz = settings.coop.tz
    job = PreparedDaysJob(StatementService(store, key=key, seals=seals, plants=settings.plants), tz=tz)
    due = first_of(*(daily(hour, 55, tz=tz) for hour in CREDIT_HOURS))

    async def prepare(due_s: int) -> None:
        try:
            await job(due_s)
        except RequestError as error:
            # Damaged books are for the board to read, in one line.
            raise JobError(str(error)) from None

    return (PlannedJob("statement days", due, prepare, lane=SETTLED, time_limit_s=3600),)


def planned_jobs(
    store: Store,
    *,
    settings: HubSettings,
    worker: Forecaster,
    send_prompt: SendPrompt,
    key: Signer,
) -> tuple[PlannedJob, ...]:
    """Every hour: the weather, then the forecast, which needs it, then the prompts, which need the forecast; and the
    street's totals.

    Every night, in lanes of their own: the closed day and the months due are settled, and the effect of the prompts is
    measured.
    """
    weather = settings.weather
    place = None if weather is None else WeatherSource(weather.url, weather.latitude, weather.longitude)
    tz = settings.coop.tz
    place_deg = None if weather is None else (weather.latitude, weather.longitude)
    forecast = ForecastJob(
        store, worker=worker, tz=tz, place_deg=place_deg, calendar=settings.calendar, plants=settings.plants
    )
    prompts = PromptJob(store, forecasts=forecast, send=send_prompt, tz=tz)
    street = StreetService(store, tz=tz, plants=settings.plants)
    quality_check = make_quality_check(settings)
    settlement = SettlementJob(store, tz=tz, calendar=settings.calendar, key=key, quality_check=quality_check)
    months = settings.retention_months
    retention = (
        None if months is None else RetentionJob(store, months=months, tz=tz, is_paying=settings.bank is not None)
    )
    erasing = () if retention is None else (PlannedJob("retention", daily(1, 10, tz=tz), retention, time_limit_s=3600),)
    return (
        *erasing,
        PlannedJob("weather", hourly(4), WeatherJob(store, place=place), lane=OUTLOOK, time_limit_s=120),
        PlannedJob("forecast", hourly(5), forecast, lane=OUTLOOK),
        PlannedJob("prompts", hourly(6), prompts, lane=OUTLOOK),
        PlannedJob("street totals", hourly(10), StreetTotalsJob(street)),
        PlannedJob("settlement", daily(0, 20, tz=tz), settlement, lane=SETTLED, time_limit_s=3600),
        PlannedJob("old forecasts", daily(1, 30, tz=tz), ThinningJob(store, tz=tz), time_limit_s=3600),
        PlannedJob("sums of periods", hourly(12), PeriodSumsJob(store), time_limit_s=3600),
        PlannedJob("moved-out homes", daily(0, 40, tz=tz), LeaversJob(store)),
        PlannedJob("prompt effects", daily(0, 30, tz=tz), PromptEffectJob(store, tz=tz), time_limit_s=3600),
    )


def jobs_of_a_folder(folder: Path, store: Store, *, settings: HubSettings, clock: Clock) -> tuple[PlannedJob, ...]:
    """The jobs that work on the files of this folder, so that no other machine can do them. They write through `store`
    what is no file.
    """
    return (
        *planned_backup(folder, settings=settings, clock=clock),
        *planned_verification(folder, settings=settings, clock=clock),
        *planned_certificates(folder, settings=settings),
        *planned_watch(folder, store, settings=settings, clock=clock),
    )


def jobs_for_any_machine(
    hub: OwnHub, store: Store, *, link: Publisher, worker: ForecastWorker
) -> tuple[PlannedJob, ...]:
    """All others. They write through `store`, and what they send to homes goes out over `link`."""
    key, coop, settings = hub.signer.key, hub.settings.coop.id, hub.settings
    sender = PromptSender(store, coop=coop, key=key, link=link)
    credits_sender = CreditsSender(coop=coop, key=key, link=link)
    return (
        *planned_jobs(store, settings=settings, worker=worker, send_prompt=sender.send, key=hub.signer),
        *planned_credits(store, settings=settings, send=credits_sender.send, clock=hub.clock),
        *planned_statements(store, settings=settings, key=hub.signer, seals=load_seals(hub.folder)),
        *planned_mail(hub.folder, store, settings=settings, clock=hub.clock),
    )
