"""Servers of other projects, as processes that can be killed and frozen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from maskcheck_bench.live.camera_process import ServerProcess


def rtsp_process(port: int, login: str = "") -> ServerProcess:
    """A camera that speaks RTSP; the test is skipped where GStreamer's server is absent."""
    python = "/usr/bin/python3"
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None);"
    probe += "import sys; sys.exit(not Gst.ElementFactory.find('x264enc'))"
    if not Path(python).exists() or subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode:
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly")
    script = Path(__file__).parent / "rtsp_server.py"
    return ServerProcess([python, str(script), str(port), *([login] if login else [])], port)


def ffmpeg(encoder: str) -> str:
    """The path of the program; the test is skipped where it is absent, or lacks an encoder."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs the program ffmpeg")
    encoders = subprocess.run([program, "-v", "error", "-encoders"], capture_output=True, text=True, check=True).stdout
    if encoder not in encoders:
        pytest.skip(f"needs an ffmpeg with {encoder}")
    return program


def hls_process(folder: Path) -> ServerProcess:
    """Writes a live HLS stream into a folder, in segments of a second."""
    video = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-c:v", "libx264", "-preset", "ultrafast"]
    hls = ["-g", "25", "-f", "hls", "-hls_time", "1", "-hls_list_size", "5", "-hls_flags", "delete_segments"]
    command = [ffmpeg("libx264"), "-v", "error", *video, *hls, str(folder / "live.m3u8")]
    return ServerProcess(command, 0, says_ready=False)


def mpegts_process(address: str, port: int) -> ServerProcess:
    """MPEG-TS by ffmpeg, which serves one client, or sends by UDP; the test is skipped where the program is absent."""
    program = ffmpeg("mpeg2video")
    video = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-c:v", "mpeg2video", "-g", "10", "-bf", "0"]
    listen = [] if address.startswith("udp") else ["-listen", "1"]
    return ServerProcess([program, "-v", "error", *video, "-f", "mpegts", *listen, address], port, says_ready=False)
