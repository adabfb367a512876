"""The durable outbox: sealed messages kept until the hub has signed for them, and views of it."""
