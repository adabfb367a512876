"""Money on the co-op's books: funds, bills, payment orders, their files and what the bank did."""
