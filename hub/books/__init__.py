"""The co-op's books: settled days and month runs, read and written in transactions and signed."""
