"""A child process that sets one sheet: a request in on standard input, the PDF out, then its memory goes with it.

It runs alone, without the rest of this software: `python -I typst_child.py`. The library keeps what it has set for the
next time, some ten sheets of it, which a hub on a small computer has no use for.
"""

import json
import sys

CANNOT_SET = 3


def main() -> None:
    """Standard input to standard output. A sheet that cannot be set ends in an exit status that is not 0."""
    import typst  # noqa: PLC0415 - an optional package, and nothing but this child needs it

    request = json.loads(sys.stdin.buffer.read())
    try:
        drawn = typst.compile(
            request["template"].encode(),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"sheet": request["sheet"]},
            pdf_standards=request["standard"],
            timestamp=request["made_at"],
        )
    except typst.TypstError:
        sys.exit(CANNOT_SET)  # its words would hold the sheet's
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    main()
