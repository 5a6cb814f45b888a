"""A camera that speaks RTSP: ``/usr/bin/python3 rtsp_server.py PORT [NAME:PASSWORD]``, by GStreamer.

It needs the system's Python with Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly. It prints a line
when it listens. ``/camera`` is H.264 at 25 frames a second, ``/jpeg`` is JPEGs, ``/sound`` has no video.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

_VIDEO = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
_H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96"
_MOUNTS = {
    "/camera": f"{_VIDEO} ! {_H264}",
    "/jpeg": f"{_VIDEO} ! jpegenc ! rtpjpegpay name=pay0 pt=26",
    "/sound": "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0",
}


def main(port: str, login: str = "") -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    mounts = server.get_mount_points()
    for path, pipeline in _MOUNTS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        factory.set_shared(True)
        mounts.add_factory(path, factory)
        if login:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("user", "media.factory.access", True)
            permissions.add_permission_for_role("user", "media.factory.construct", True)
            factory.set_permissions(permissions)
    if login:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        authentication = GstRtspServer.RTSPAuth()
        authentication.add_basic(GstRtspServer.RTSPAuth.make_basic(*login.split(":", 1)), token)
        server.set_auth(authentication)
    server.attach(None)
    print("listening", flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
