"""The log of rows: which rows the hub wrote to which table, chained and signed, in the transaction that wrote them."""
