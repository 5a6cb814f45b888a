"""Addresses as they are shown: no password and no token is left in them."""

from __future__ import annotations

import pytest

from maskcheck.sources.addresses import shown_address, without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://cam.local/live", "rtsp://cam.local/live"),
        ("rtsp://cam.local:554/live", "rtsp://cam.local:554/live"),
        ("rtsp://admin@cam.local/live", "rtsp://admin@cam.local/live"),
        ("rtsp://admin:s3cret@cam.local:554/live", "rtsp://admin:***@cam.local:554/live"),
        ("RTSP://admin:s3cret@[::1]:554/live", "RTSP://admin:***@[::1]:554/live"),
        ("rtsp://admin:s3cret@s3cret@cam.local/live", "rtsp://admin:***@cam.local/live"),
        ("rtsp://admin:s3cret/s3cret@cam.local/live", "rtsp://admin:***@cam.local/live"),
        ("rtsp://admin:s3cret?#s3cret@cam.local/live", "rtsp://admin:***@cam.local/live"),
        ("rtsp://:s3cret@cam.local", "rtsp://:***@cam.local"),
        ("http://cam.local:8080/@live", "http://cam.local:8080/@live"),
        ("http://[::1]:8080/@live", "http://[::1]:8080/@live"),
        ("http://cam.local/?user=a&password=s3cret&channel=1", "http://cam.local/?user=a&password=***&channel=1"),
        ("http://cam.local/video.cgi?pwd=s3cret", "http://cam.local/video.cgi?pwd=***"),
        ("rtsp://cam.local/user=a&password=s3cret&channel=1.sdp", "rtsp://cam.local/user=a&password=***&channel=1.sdp"),
        ("https://cam.local/live?access_token=s3cret#t", "https://cam.local/live?access_token=***#t"),
        ("http://a:s3cret@cam.local/?key=s3cret", "http://a:***@cam.local/?key=***"),
        ("C:\\videos\\a@b.mp4", "C:\\videos\\a@b.mp4"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_an_address_is_shown_without_secrets(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_a_text_of_a_library_is_shown_without_secrets() -> None:
    text = "[Errno 5] I/O error: 'rtsp://admin:s3cret@cam/live'; tried http://cam/?token=s3cret and gave up"
    assert without_secrets(text) == (
        "[Errno 5] I/O error: 'rtsp://admin:***@cam/live'; tried http://cam/?token=*** and gave up"
    )
