"""What `make coverage` prints: sums by folder, and the files with the lowest figures, worst first."""

from tests.house.coverage_report import LOWEST, Figure, figures, report_lines


def entry(*, lines: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, dict[str, int]]:
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": covered,
            "missing_lines": lines - covered,
            "num_branches": branches,
            "covered_branches": taken,
            "missing_branches": branches - taken,
        }
    }


def test_folders_are_summed_and_the_lowest_files_named() -> None:
    found = figures(
        {
            "hub/core/ledger/a.py": entry(lines=10, covered=10, branches=10, taken=5),
            "hub/core/ledger/b.py": entry(lines=20, covered=5),
            "protocols/slots.py": entry(lines=4, covered=4),
        }
    )
    assert report_lines(found) == [
        " 50.0 %    15 lines     5 branches not run  hub/core/ledger/",
        "100.0 %     0 lines     0 branches not run  protocols/",
        " 54.5 %    15 lines     5 branches not run  all",
        "",
        "lowest:",
        " 25.0 %    15 lines     0 branches not run  hub/core/ledger/b.py",
        " 75.0 %     0 lines     5 branches not run  hub/core/ledger/a.py",
    ]


def test_a_file_with_nothing_to_run_is_whole() -> None:
    assert Figure().percent == 100


def test_the_list_of_the_lowest_is_short() -> None:
    found = figures({f"protocols/m{number}.py": entry(lines=100, covered=number) for number in range(50)})
    assert len(report_lines(found)[report_lines(found).index("lowest:") + 1 :]) == LOWEST
