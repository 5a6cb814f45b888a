from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from maskcheck.runtime import cpu


def quota(tmp_path: Path, membership: str, files: dict[str, str]) -> float | None:
    """The quota of a process with this ``/proc/self/cgroup``, where these files are mounted."""
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "self").write_text(membership)
    return cpu.cgroup_quota(tmp_path / "self", tmp_path / "cgroup")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"a/b/cpu.max": "150000 100000\n"}, 1.5, id="of its own group"),
        pytest.param({"a/b/cpu.max": "20000 10000\n"}, 2.0, id="with another period"),
        pytest.param(
            {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "50000 100000\n"}, 0.5, id="a parent's is tighter"
        ),
        pytest.param({"a/b/cpu.max": "50000 100000\n", "a/cpu.max": "400000 100000\n"}, 0.5, id="its own is tighter"),
        pytest.param({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0, id="only a parent has one"),
        pytest.param({"cpu.max": "300000 100000\n"}, 3.0, id="only the root of a container has one"),
        pytest.param({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "max 100000\n"}, None, id="no limit"),
        pytest.param({}, None, id="no file"),
        pytest.param({"../cpu.max": "50000 100000\n"}, None, id="not of a control group"),
        pytest.param({"a/b/c/cpu.max": "50000 100000\n", "x/cpu.max": "50000 100000\n"}, None, id="of other groups"),
    ],
)
def test_quota_of_version_2(files: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    assert quota(tmp_path, "0::/a/b\n", files) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"docker/x/cpu.cfs_quota_us": "250000", "docker/x/cpu.cfs_period_us": "100000"}, 2.5, id="own"),
        pytest.param({"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}, 0.5, id="of the root"),
        pytest.param({"docker/x/cpu.cfs_quota_us": "-1", "docker/x/cpu.cfs_period_us": "100000"}, None, id="no limit"),
        pytest.param({"docker/x/cpu.cfs_quota_us": "250000"}, None, id="no period"),
        pytest.param({}, None, id="no file"),
    ],
)
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_quota_of_version_1(controllers: str, files: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    mounted = {f"{controllers}/{name}": content for name, content in files.items()}

    assert quota(tmp_path, f"5:memory:/docker/x\n4:{controllers}:/docker/x\n", mounted) == expected


def test_quota_of_other_controllers_is_not_taken(tmp_path: Path) -> None:
    files = {"cpuset/a/cpu.cfs_quota_us": "100000", "cpuset/a/cpu.cfs_period_us": "100000"}

    assert quota(tmp_path, "3:cpuset:/a\n1:name=systemd:/a\n", files) is None


def test_the_tighter_of_both_versions_is_taken(tmp_path: Path) -> None:
    files = {"a/cpu.max": "400000 100000", "cpu/a/cpu.cfs_quota_us": "100000", "cpu/a/cpu.cfs_period_us": "100000"}

    assert quota(tmp_path, "3:cpu:/a\n0::/a\n", files) == 1.0


def test_no_quota_where_there_are_no_control_groups(tmp_path: Path) -> None:
    assert cpu.cgroup_quota(tmp_path / "missing", tmp_path) is None


@pytest.mark.parametrize("content", ["", "max", "some 100000", "100000 many", "100000 0", "1 2 3"])
def test_garbage_instead_of_a_quota_of_version_2_is_no_quota(content: str, tmp_path: Path) -> None:
    assert quota(tmp_path, "0::/a\n", {"a/cpu.max": content}) is None


@pytest.mark.parametrize(("limit", "period"), [("", ""), ("some", "100000"), ("100000", "many"), ("100000", "0")])
def test_garbage_instead_of_a_quota_of_version_1_is_no_quota(limit: str, period: str, tmp_path: Path) -> None:
    files = {"cpu/a/cpu.cfs_quota_us": limit, "cpu/a/cpu.cfs_period_us": period}

    assert quota(tmp_path, "4:cpu:/a\n", files) is None


@pytest.mark.parametrize("line", [b"", b"garbage", b"0:", b"0::", b"0::/\xff"], ids=repr)
def test_garbage_among_the_groups_is_ignored(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "self").write_bytes(line + b"\n0::/a\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cpu.max").write_text("200000 100000")

    assert cpu.cgroup_quota(tmp_path / "self", tmp_path) == 2.0


@pytest.mark.parametrize(
    ("cpus", "limit", "threads"),
    [(8, None, 8), (8, 2.0, 2), (8, 2.9, 2), (8, 0.5, 1), (8, 0.001, 1), (2, 16.0, 2), (1, None, 1)],
)
def test_threads_are_the_usable_cpus_within_the_quota_and_at_least_one(
    cpus: int, limit: float | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "affinity", lambda: cpus)
    monkeypatch.setattr(cpu, "cgroup_quota", lambda: limit)

    assert cpu.default_thread_count() == threads


def test_affinity_is_what_linux_lets_the_process_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 5, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)

    assert cpu.affinity() == 3


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_affinity_is_the_number_of_cpus_elsewhere(
    count: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(sys, "version_info", (3, 11))
    monkeypatch.setattr(os, "cpu_count", lambda: count)

    assert cpu.affinity() == expected


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (None, 1)])
def test_affinity_is_what_newer_pythons_say(count: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13))
    monkeypatch.setattr(os, "process_cpu_count", lambda: count, raising=False)

    assert cpu.affinity() == expected


@pytest.mark.parametrize("version", [(3, 11), (3, 13)])
def test_if_a_sandbox_hides_the_affinity_it_is_the_number_of_cpus(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(os, "sched_getaffinity", forbidden, raising=False)
    monkeypatch.setattr(os, "process_cpu_count", forbidden, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)

    assert cpu.affinity() == 5


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512_vnni amx_int8\n", ("AMX", "AVX-512 VNNI")),
        ("flags\t\t: fpu avx2 avx_vnni\n", ("AVX-VNNI",)),
        ("flags\t\t: fpu sse4_2 avx2\nvmx flags\t: avx_vnni\n", ()),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", ("dot product",)),
    ],
)
def test_instructions_for_int8_are_those_that_linux_lists(
    cpuinfo: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)

    assert cpu.int8_features(tmp_path / "cpuinfo") == expected


@pytest.mark.parametrize(
    ("features", "expected"),
    [(["AVX2", "AVX512VNNI"], ("AVX-512 VNNI",)), (["NEON", "NEON_DOTPROD"], ("dot product",)), (["AVX2"], ())],
)
def test_instructions_for_int8_are_those_that_opencv_finds_elsewhere(
    features: list[str], expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "cpu_features", lambda: features)

    assert cpu.int8_features(tmp_path / f"of {'-'.join(features)}") == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("sse4_2 avx2", ("AVX2",)), ("avx2 avx512_vnni", ("AVX-512 VNNI", "AVX2")), ("sse4_2 avx", ())],
)
def test_with_weights_of_seven_bits_avx2_is_exact(flags: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")

    assert cpu.int8_features(tmp_path / "cpuinfo", seven_bit_weights=True) == expected


def test_without_opencv_a_cpu_has_no_known_instructions_for_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)

    assert cpu.int8_features(tmp_path / "none") == ()


def test_what_is_left_of_a_removed_opencv_knows_no_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))

    assert cpu.int8_features(tmp_path / "left over") == ()


def test_a_cpu_has_the_name_that_its_maker_gave_it(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("vendor_id\t: X\nmodel name\t: X9 @ 2 GHz\nmodel name\t: X9 @ 2 GHz\n")

    assert cpu.cpu_name(tmp_path / "cpuinfo") == "X9 @ 2 GHz"
    assert cpu.cpu_name(tmp_path / "none") != ""


@pytest.mark.parametrize("error", [PermissionError("denied"), IsADirectoryError("a folder")], ids=repr)
def test_without_the_files_of_linux_nothing_is_known(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", forbidden)
    monkeypatch.setattr(cpu, "cpu_features", list)

    assert cpu.cpu_name(tmp_path / "cpuinfo") != ""
    assert cpu.int8_features(tmp_path / f"cpuinfo of {error!r}") == ()
    assert cpu.cgroup_quota(tmp_path / "self", tmp_path) is None


def test_a_cpu_whose_name_is_no_text_is_still_described(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_bytes(b"model name\t: X9 \xae\xff 2 GHz\nflags\t: avx_vnni\n")

    assert cpu.cpu_name(tmp_path / "cpuinfo").startswith("X9 ")
    assert cpu.int8_features(tmp_path / "cpuinfo") == ("AVX-VNNI",)


@pytest.mark.parametrize("content", [b"\xff\xfe1 1", b"", b"\x00"], ids=repr)
def test_a_quota_that_is_no_text_is_no_quota(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "self").write_text("0::/a\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cpu.max").write_bytes(content)

    assert cpu.cgroup_quota(tmp_path / "self", tmp_path) is None
