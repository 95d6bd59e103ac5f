"""The command as its users run it: results that others read, killed and gone on with, summed up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browsing import ROOT

from agegender.analyzer import build_analyzer
from agegender.batch.parts import manifest_of, parts_of, rows_of
from agegender.batch.work import Row
from agegender.cli.main import main
from agegender.imaging.io import decode
from agegender.models.manifest import load_manifest

SAMPLES = ROOT / "samples"
COMMAND = [sys.executable, "-m", "agegender", "batch"]
FAST = ["--detector", "bundled", "--workers", "2"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "ada.png").write_bytes((SAMPLES / "astronaut.png").read_bytes())
    (folder / "half.png").write_bytes((SAMPLES / "astronaut.png").read_bytes()[:40_000])
    return folder


def rows(folder: Path) -> list[Row]:
    found = [row for part in parts_of(folder) for row in rows_of(part)]
    return sorted(found, key=lambda row: (str(row["path"]), int(row["face"] or 0)))


def test_rows_say_what_the_library_says(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["batch", str(pictures), "--out", str(out), *FAST]) == 1  # as one is an error
    ada, half = rows(out)
    ((reading),) = build_analyzer("bundled")(decode(pictures / "ada.png")).readings
    assert (ada["file"], ada["width_px"], ada["height_px"], ada["face"]) == ("ada.png", 512, 512, 1)
    assert ada["age_years"] == round(reading.age.years, 1)
    assert (ada["gender"], ada["age_range"]) == (reading.gender.label, reading.age.range)
    assert ada["size"] == (pictures / "ada.png").stat().st_size
    assert str(ada["detector"]).startswith("bundled@")
    assert "damaged" in str(half["error"])
    assert half["face"] is None
    assert "2 pictures, 1 face, 1 error in" in capsys.readouterr().out
    manifest = manifest_of(out)
    assert manifest["finished"]
    assert manifest["made_by"]["sha256"]["apparent.onnx"] == load_manifest()["apparent"].files[0].sha256


def test_a_finished_batch_reads_nothing_again_and_a_new_picture_alone(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["batch", str(pictures), "--out", str(out), "--quiet", *FAST]
    main(command)
    parts = {part: part.stat().st_mtime_ns for part in parts_of(out)}
    assert main([*command, "--part-size", "1"]) == 0
    assert {part: part.stat().st_mtime_ns for part in parts_of(out)} == parts
    (pictures / "new.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes())
    main(command)
    assert [Path(str(row["path"])).name for row in rows(out)] == ["ada.png", "half.png", "new.jpg"]


def test_results_of_other_models_are_not_mixed_unasked(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["batch", str(pictures / "ada.png"), "--out", str(tmp_path / "out")]
    assert main([*command, *FAST]) == 0
    manifest = tmp_path / "out" / "_manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"0.', '"9.'), encoding="utf-8")
    assert main([*command, *FAST]) == 1
    assert "--mix" in capsys.readouterr().err
    assert main([*command, *FAST, "--mix"]) == 0


def test_wrong_usage_is_told_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--detector", "eyes"]) == 1
    assert "no model called 'eyes'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--workers", "0"])


def test_a_folder_without_pictures_and_a_source_that_is_not_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    sources = [str(tmp_path / "empty"), str(tmp_path / "gone")]
    assert main(["batch", *sources, "--out", str(tmp_path / "out"), *FAST]) == 1
    told = capsys.readouterr().err
    assert "There are no pictures" in told
    assert "gone: There is no such file or folder." in told


def test_pandas_and_duckdb_read_the_results(pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    main(["batch", str(pictures), "--out", str(tmp_path / "out"), "--quiet", *FAST])
    table = pandas.read_parquet(tmp_path / "out")
    assert sorted(table["file"]) == ["ada.png", "half.png"]
    duckdb = pytest.importorskip("duckdb")
    query = f"select gender, count(*) from '{tmp_path}/out/part-*.parquet' where face = 1 group by gender"
    assert duckdb.sql(query).fetchall() == [("Female", 1)]


def test_the_summary_counts_people_warnings_and_errors(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vl_convert")
    out = tmp_path / "out"
    main(["batch", str(pictures), "--out", str(out), "--quiet", *FAST])
    capsys.readouterr()
    assert main(["summary", str(out), "--plot", str(tmp_path / "people.svg")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 pictures, 1 face; 0 without a face, 1 that could not be read")
    assert "1 100.0 % (20.7–100.0)" in told  # Wilson's interval of one of one
    assert "damaged or incomplete" in told
    assert (tmp_path / "people.svg").read_text(encoding="utf-8").startswith("<svg")
    assert main(["summary", str(tmp_path)]) == 1


def test_an_evaluation_takes_the_results_in_place_of_pictures(
    tmp_path: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = datasets / "fairface-val.tar"
    command = ["evaluate", "--dataset", "fairface", str(source), "--json"]
    listed = tmp_path / "few"
    listed.mkdir()
    from agegender.evaluation.datasets import open_dataset

    with open_dataset("fairface", source) as dataset:
        for sample in dataset.samples[:12]:
            path = listed / sample.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dataset.files.read(sample.name))
        (listed / "fairface-val.csv").write_bytes(source.with_suffix(".csv").read_bytes())
    main(["batch", str(listed), "--out", str(tmp_path / "out"), "--quiet", *FAST])
    capsys.readouterr()
    main([*command, "--batch", str(tmp_path / "out")])
    report = json.loads(capsys.readouterr().out)
    assert report["unreadable"] == report["pictures"] - 12
    few = tmp_path / "few.json"
    main(["evaluate", "--dataset", "fairface", str(listed), "--json", "--detector", "bundled"])
    few.write_text(capsys.readouterr().out, encoding="utf-8")
    direct = json.loads(few.read_text(encoding="utf-8"))
    for key in ("faces_found", "gender_accuracy"):
        assert report["figures"][key]["value"] == direct["figures"][key]["value"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers in /proc")
def test_ten_kills_of_workers_and_of_the_command_change_nothing(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(120):
        (many / f"{number}.png").symlink_to(SAMPLES / "astronaut.png")
    command = [*COMMAND, str(many), "--part-size", "40", "--quiet", *FAST, "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], cwd=ROOT, check=True)
    rng, kills = random.Random(1), 0
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    while True:
        with subprocess.Popen([*command, str(tmp_path / "killed")], cwd=ROOT, env=environment) as process:
            while kills < 10 and process.poll() is None:
                time.sleep(rng.uniform(0.3, 1.2))
                workers = children(process.pid)
                if workers and rng.random() < 0.6:
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    kills += 1
                elif process.poll() is None:
                    process.kill()
                    kills += 1
        if process.returncode == 0:
            break
    assert kills >= 5

    def timeless(folder: Path) -> list[Row]:
        return [{**row, "seconds": None} for row in rows(folder)]

    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")
    assert len(timeless(tmp_path / "killed")) == 120


def children(number: int) -> list[int]:
    """The processes that a process started."""
    try:
        tasks = Path(f"/proc/{number}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def test_ctrl_c_finishes_what_has_begun_and_says_how_to_go_on(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(400):
        (many / f"{number}.png").symlink_to(SAMPLES / "astronaut.png")
    out = tmp_path / "out"
    command = [*COMMAND, str(many), "--out", str(out), "--part-size", "4", *FAST]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while not parts_of(out):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1]
    assert process.returncode == 130
    assert "Run the same command to resume." in told
    assert "Traceback" not in told
    assert 0 < len(rows(out)) < 400
    assert not manifest_of(out)["finished"]
