"""The form of a data logger's recording: its first line and its rows as text. Checks nothing and reads no file."""

HEADER = "commonwatt-recording,1"


def row_text(at_s: int, device: str, *, point: str, value: str) -> str:
    """One row: Unix seconds, device, point, value. A file is the header, then rows in order of time."""
    return f"{at_s},{device},{point},{value}"
