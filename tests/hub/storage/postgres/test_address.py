"""A server's address: what it must hold, and that its password is never shown."""

import pytest

from hub.storage.errors import StoreError
from hub.storage.postgres.address import StoreAddress, has_password, is_this_computer, with_user


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        ("postgresql://hub:hush@127.0.0.1:5433/energy", "postgresql://127.0.0.1:5433/energy (street)"),
        ("postgresql://hub:hush@/energy?host=/run/postgresql", "postgresql:///run/postgresql/energy (street)"),
        ("postgresql://hub:hush@[::1]/energy", "postgresql://[::1]/energy (street)"),
        ("postgres://hub:hush@db.example.org/e?sslmode=verify-full", "postgresql://db.example.org/e (street)"),
        ("postgresql://hub:hush@a,b:5433/e?sslmode=verify-ca", "postgresql://a,b:5433/e (street)"),
    ],
)
def test_what_is_shown_of_an_address_holds_no_password(dsn: str, place: str) -> None:
    address = StoreAddress(dsn, "street")
    assert address.place == place
    assert "hush" not in repr(address)
    assert has_password(dsn)


@pytest.mark.parametrize(
    ("dsn", "schema", "said"),
    [
        ("mysql://hub@127.0.0.1/energy", "street", "is not postgresql://"),
        ("postgresql://127.0.0.1/energy", "street", "is not postgresql://"),
        ("postgresql://hub@[::1/energy", "street", "is not postgresql://"),
        ("postgresql://hub@127.0.0.1/energy", "pg_catalog", "cannot be the name of a schema"),
        ("postgresql://hub@127.0.0.1/energy", "a; DROP", "cannot be the name of a schema"),
        ("postgresql://hub@db.example.org/energy", "street", r"db\.example\.org is another computer"),
        ("postgresql://hub@db.example.org/energy?sslmode=require", "street", "needs sslmode=verify-full"),
        ("postgresql://hub@127.0.0.1,db.example.org/energy", "street", r"db\.example\.org is another computer"),
        ("postgresql://admin@db.example.org/x?host=/tmp", "street", "names two hosts"),
        ("postgresql://hub@127.0.0.1/x?host=db.example.org&sslmode=verify-full", "street", "names two hosts"),
        ("postgresql://hub@/x?host=db.example.org&host=/tmp", "street", "names two hosts"),
        ("postgresql://hub:a@db.example.org@127.0.0.1/x", "street", "names two hosts"),
        ("postgresql://hub@127.0.0.1/x?service=elsewhere", "street", "names a service"),
        ("postgresql://hub@/energy?host=192.0.2.7", "street", r"192\.0\.2\.7 is another computer"),
    ],
)
def test_what_is_no_address_or_lets_anybody_listen_is_refused(dsn: str, schema: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        StoreAddress(dsn, schema)


def test_another_user_at_the_same_server() -> None:
    there = with_user("postgresql://admin:old@db.example.org:5433/e?sslmode=verify-full", "street_hub", "a/b@c")
    assert there == "postgresql://street_hub:a%2Fb%40c@db.example.org:5433/e?sslmode=verify-full"
    assert not has_password("postgresql://admin@/e")


def test_the_environment_leads_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    StoreAddress("postgresql://hub@127.0.0.1/energy", "street")
    StoreAddress("postgresql://hub@/energy?host=/tmp", "street")
    with pytest.raises(StoreError, match="the environment's PGHOST"):
        StoreAddress("postgresql://hub@/energy", "street")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    with pytest.raises(StoreError, match="the environment's PGSERVICE"):
        StoreAddress("postgresql://hub@127.0.0.1/energy", "street")


def test_another_user_gets_nothing_of_what_the_first_one_signed_in_with() -> None:
    query = "user=admin&password=hush&passfile=/hush&sslcert=/hush&sslkey=/hush&sslpassword=hush&host=/run/postgresql"
    there = with_user(f"postgresql:///e?{query}&port=5433", "street_hub", "new")
    assert there == "postgresql://street_hub:new@/e?host=/run/postgresql&port=5433"


@pytest.mark.parametrize(
    "host", ["", "/run/postgresql", "localhost", "localhost:1", "127.0.0.1:5432", "::1", "[::1]:5"]
)
def test_this_computer(host: str) -> None:
    assert is_this_computer(host)
