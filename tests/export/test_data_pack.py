from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskcheck.pictures.crops import crop_face
from maskcheck.pictures.decoding import load_image
from maskcheck_export.data import pack as module
from maskcheck_export.data.pack import Pack, pack_faces
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError


def pack(samples: list[Sample], folder: Path, lines: list[str] | None = None) -> Pack:
    report = print if lines is None else lines.append
    return pack_faces(samples, folder, bare_label="without_mask", report=report)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Ten small faces in five pictures of noise."""
    rng = np.random.default_rng(0)
    faces = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(path)
        for x in (13, 61):
            box = (float(x), 21.0, float(x + 20 + number), 47.0)
            faces.append(Sample(path, box, "with_mask", "street", path.name, whole=False))
    return faces


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FACES_A_SHARD", 4)


def test_a_packed_face_gives_the_crop_of_its_picture(samples: list[Sample], tmp_path: Path) -> None:
    packed = pack(samples, tmp_path / "pack")

    assert len(packed) == 10
    for index in (9, 0, 5):
        (region,) = packed.read([index])
        sample = samples[index]
        expected = crop_face(load_image(sample.path).pixels, np.array(sample.box), size=64, margin=0.2)
        assert np.array_equal(crop_face(region.pixels, region.box, size=64, margin=0.2), expected)


def test_the_face_of_a_bare_whole_picture_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 60)).save(path)
    whole = [
        Sample(path, (0.0, 0.0, 50.0, 60.0), label, "set", "a", whole=True) for label in ("without_mask", "with_mask")
    ]
    face = np.array([1, 2, 3, 4], np.float32)
    monkeypatch.setattr(module, "find_face", lambda _: face)

    packed = pack(whole, tmp_path / "pack")

    bare, masked = packed.read([0, 1])
    assert bare.face is not None
    assert bare.face.tolist() == [1, 2, 3, 4]
    assert masked.face is None


def test_packing_goes_on_where_it_stopped(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    pack(samples, folder)
    (folder / "00001.h5").unlink()
    before = (folder / "00000.h5").stat().st_mtime_ns
    lines: list[str] = []

    packed = pack(samples, folder, lines)

    assert lines == ["packing faces 5 to 8 of 10"]
    assert (folder / "00000.h5").stat().st_mtime_ns == before
    assert len(packed.read(range(10))) == 10


def test_a_shard_that_is_cut_off_is_reported_and_packed_again(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    pack(samples, folder)
    shard = folder / "00001.h5"
    shard.write_bytes(shard.read_bytes()[:3000])
    lines: list[str] = []

    packed = pack(samples, folder, lines)

    assert "00001.h5 is damaged" in lines[0]
    assert len(packed.read([4, 5, 6, 7])) == 4


def test_a_picture_that_changed_is_packed_again(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    pack(samples, folder)
    Image.new("RGB", (120, 90), "red").save(samples[0].path)
    lines: list[str] = []

    packed = pack(samples, folder, lines)

    assert lines[0].endswith("holds other faces, packing again")
    assert packed.read([0])[0].pixels[0, 0].tolist() == [0, 0, 255]


def test_a_full_disk_is_an_error_that_keeps_what_is_finished(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write

    def fail_at_the_second(path: Path, *rest: object) -> None:
        if path.name.endswith("00001.h5"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write", fail_at_the_second)

    with pytest.raises(DataError, match="No space left on device"):
        pack(samples, tmp_path / "pack")

    assert [path.name for path in (tmp_path / "pack").iterdir()] == ["00000.h5"]


def test_memory_does_not_grow_with_the_number_of_faces(samples: list[Sample], tmp_path: Path) -> None:
    def peak(faces: list[Sample], name: str) -> int:
        tracemalloc.start()
        packed = pack(faces, tmp_path / name)
        for index in range(len(faces)):
            packed.read([index])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(samples, "warm-up")

    assert peak(samples * 12, "many") < 1.5 * peak(samples, "few")
