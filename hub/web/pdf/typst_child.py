"""Run as a child process: typesets one sheet, from a request on standard input to a PDF on standard output.

It runs without the rest of this software: `python -I typst_child.py`. The library caches about ten of the sheets it
has typeset; that memory is freed when the child ends.
"""

import json
import sys

CANNOT_SET = 3


def main() -> None:
    """Typeset the sheet from standard input. The exit status is CANNOT_SET if that fails."""
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
        sys.exit(CANNOT_SET)  # the error message would quote text from the sheet
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    main()
