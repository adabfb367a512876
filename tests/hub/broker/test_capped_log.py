"""The broker's log: a flood of refused clients cannot fill the disk, and what came last is kept."""

from pathlib import Path

from hub.broker.capped_log import KEPT_BYTES, MAX_BYTES, cut_short, open_capped


def test_a_log_that_grew_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    with open_capped(path) as log:
        log.write(b"x" * MAX_BYTES + b"the end\n")
        log.flush()
        assert cut_short(path)
        log.write(b"more\n")
        log.flush()
    assert path.read_bytes() == b"more\n"
    kept = (tmp_path / "broker.log.1").read_bytes()
    assert len(kept) == KEPT_BYTES
    assert kept.endswith(b"the end\n")


def test_a_small_log_stays_and_a_new_start_keeps_the_old_end(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    path.write_bytes(b"why it ended\n")
    assert not cut_short(path)
    open_capped(path).close()
    assert (path.read_bytes(), (tmp_path / "broker.log.1").read_bytes()) == (b"", b"why it ended\n")


def test_a_log_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert not cut_short(tmp_path / "none")
