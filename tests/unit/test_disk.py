"""A file is whole or absent."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelslab_pony import _disk
from modelslab_pony._steps import Save

URL = "https://x.example/a.png"


def sink(path: Path | None, *, overwrite: bool = False) -> _disk.Sink:
    return _disk.open_sink(Save(url=URL, path=path, overwrite=overwrite, max_bytes=100))


def test_nothing_stands_under_the_name_until_all_is_written(tmp_path: Path) -> None:
    """Half a file is never seen under the name that was asked for."""
    path = tmp_path / "new" / "a.png"
    opened = sink(path)
    opened.write(b"half")
    assert not path.exists()
    opened.write(b" and half")
    assert opened.commit(".png") == (path, b"")
    opened.discard()
    assert path.read_bytes() == b"half and half"
    assert list(path.parent.iterdir()) == [path]


def test_a_discarded_download_leaves_nothing(tmp_path: Path) -> None:
    """Neither the file nor its temporary one."""
    opened = sink(tmp_path / "a.png")
    opened.write(b"half")
    opened.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    """The refusal comes before anything is downloaded."""
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(_disk.DiskError, match="overwrite=True"):
        sink(path)
    opened = sink(path, overwrite=True)
    opened.write(b"new")
    opened.commit(".png")
    opened.discard()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"new"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    """Two downloads to one name: the second one loses, and leaves nothing behind."""
    path = tmp_path / "a.png"
    opened = sink(path)
    path.write_bytes(b"the other one's")
    with pytest.raises(_disk.DiskError):
        opened.commit(".png")
    opened.discard()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"the other one's"]


def test_in_a_folder_files_are_named_after_the_url_and_numbered(tmp_path: Path) -> None:
    """The suffix is that of the bytes, and no file takes another one's name."""
    names = []
    for content in (b"1", b"2", b"3"):
        opened = sink(tmp_path)
        opened.write(content)
        path, _ = opened.commit(".jpg")
        opened.discard()
        assert path is not None
        names.append(path.name)
    assert names == ["a.jpg", "a-2.jpg", "a-3.jpg"]
    assert len(list(tmp_path.iterdir())) == 3


def test_without_hard_links_the_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT has none; the file still comes whole and takes nobody's place."""

    def refuse(*_: Path) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "a.png"
    opened = sink(path)
    opened.write(b"x")
    assert opened.commit(".png")[0] == path
    other = _disk.open_sink(Save(url=URL, path=tmp_path / "b.png", max_bytes=1))
    (tmp_path / "b.png").write_bytes(b"mine")
    with pytest.raises(_disk.DiskError):
        other.commit(".png")
    other.discard()
    assert (tmp_path / "b.png").read_bytes() == b"mine"


def test_check_writable_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    """And fails where a file stands in the way."""
    _disk.check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(_disk.DiskError, match="file"):
        _disk.check_writable(tmp_path / "file" / "c")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """Closing writes what is left, and so fails as well; the temporary file goes all the same."""
    opened = sink(tmp_path / "a.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        opened.write(b"x" * 5000)
        with pytest.raises(_disk.DiskError, match="cannot write the file"):
            opened.commit(".png")
        opened.discard()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_can_have_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """Python calls it a ValueError."""
    with pytest.raises(_disk.DiskError):
        sink(tmp_path / "a\0b" / "c.png")


def test_writability_is_probed_and_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is there and no file can be made in it."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(_disk.DiskError, match="Permission denied"):
        _disk.check_writable(tmp_path)


def test_a_half_written_file_tells_whose_it_is(tmp_path: Path) -> None:
    """One of a process that is gone may be removed; one that tells nothing is left alone."""
    names = {
        ".pony-1-00-00.part": True,
        f".pony-{2**22 + 1}-00-00.part": False,  # no process has that number
        f".pony-{os.getpid()}-00-00.part": False,  # this process's number, and not this process
        ".pony-x.part": True,
        ".other-4194305-00-00.part": True,
    }
    assert {name: _disk.is_being_written(tmp_path / name) for name in names} == names
    assert _disk.is_being_written(_disk.part_in(tmp_path))


def test_a_file_that_cannot_be_written_leaves_none_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the one that stood there harmed."""
    path = tmp_path / "a.jpg"
    _disk.write_whole(path, b"whole")
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        write(self, content[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        _disk.write_whole(path, b"another")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("a.jpg", b"whole")]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="where nothing tells, it counts as alive")
def test_a_process_that_has_ended_writes_nothing(tmp_path: Path) -> None:
    """Also while its parent has not asked how: it has its number until then."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        part = tmp_path / f".pony-{process.pid}-00-00.part"
        assert _disk.is_being_written(part)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not _disk.is_being_written(part)
