"""The co-op's books: settled days and month runs, signed, and read and written in transactions."""
