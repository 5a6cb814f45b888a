"""A web page that shows an uploaded picture annotated: the SDK embedded in a Flask application.

    pip install flask
    python examples/web_host.py

Then open http://127.0.0.1:5000/, or ask for JSON:

    curl -F picture=@examples/group.jpg http://127.0.0.1:5000/api/detect

Uploads stay in memory: they are not stored or logged.
"""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import IO, Any, TypeAlias

import cv2
import numpy as np
from flask import Flask, Request, Response, jsonify, render_template_string, request
from numpy.typing import NDArray
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from maskcheck import DecodingLimits, FrameResult, ImageError, ImageTooLarge, MaskPipeline, load_image

MAX_UPLOAD = 20_000_000  # bytes
# A small file may hold a huge picture, which takes several times 3 bytes a pixel and seconds to decode.
LIMITS = DecodingLimits(max_pixels=50_000_000, max_side=20_000, max_file_bytes=MAX_UPLOAD, max_scans=50)
PREVIEW_SIDE = 1600  # pixels
THUMBNAIL_SIDE = 112  # twice its size on the page, for high-density screens

Box: TypeAlias = tuple[float, float, float, float]


class InMemoryRequest(Request):
    """A request that never writes to disk; Flask's own writes uploads above 500 kB to a temporary file."""

    def _get_file_stream(self, *_args: object, **_options: object) -> IO[bytes]:
        return io.BytesIO()  # MAX_CONTENT_LENGTH bounds it


def create_app(pipeline: MaskPipeline) -> Flask:
    """Make the application.

    Args:
        pipeline: Shared by the threads of all requests. It is warmed up here, so that a faulty model fails at the
            start and not at the first request.
    """
    pipeline.warm_up()
    app = Flask(__name__)
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD

    @app.route("/", methods=["GET", "POST"])
    def page() -> str:
        if request.method == "GET":
            return render()
        name, picture = uploaded_picture()
        result = pipeline(picture)
        pixels = load_image(picture, limits=pipeline.limits).pixels
        return render(name=name, result=result, **drawings(pixels, result))

    @app.post("/api/detect")
    def detect() -> Response:
        _, picture = uploaded_picture()
        return jsonify(pipeline(picture).to_dict())

    @app.errorhandler(ImageError)
    def refuse_picture(error: ImageError) -> tuple[Response, int]:
        if isinstance(error, ImageTooLarge):  # the message of the error is for programmers
            return problem(error, too_large(error)), 413
        return problem(error, str(error)), 400

    @app.errorhandler(HTTPException)
    def refuse_request(error: HTTPException) -> BaseResponse:
        message = error.description or error.name
        if isinstance(error, RequestEntityTooLarge):
            message = f"the upload is too large: at most {MAX_UPLOAD / 1e6:g} MB are accepted"
        body = problem(error, message)
        response = error.get_response()  # keeps its status, and headers such as Allow
        response.data, response.content_type = body.data, body.content_type
        return response

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
        )
        return response

    return app


def too_large(error: ImageTooLarge) -> str:
    """Why a picture is refused for its size or cost, in words for visitors."""
    match error.what:
        case "max_pixels":
            return f"the picture has {error.pixels / 1e6:.1f} megapixels, more than {error.limit / 1e6:g} megapixels"
        case "max_side":
            return f"the picture is wider or higher than {error.limit} pixels"
        case _:  # too many scans, for example, which few visitors know
            return "the picture takes too long to decode; save it as a plain JPEG or PNG first"


def uploaded_picture() -> tuple[str, bytes]:
    """Name and content of the uploaded file in the form field ``picture``."""
    file = request.files.get("picture")
    if file is None or not file.filename:
        raise BadRequest("no picture was chosen")
    return file.filename, file.read()


def drawings(pixels: NDArray[np.uint8], result: FrameResult) -> dict[str, Any]:
    """The annotated picture and a thumbnail of each face, as ``data:`` URLs."""
    small = shrink(pixels, PREVIEW_SIDE)
    height, width = small.shape[:2]
    # Boxes are drawn after shrinking, so that captions stay legible on large uploads.
    faces = tuple(replace(face, box=scaled(face.box, width / result.size[0])) for face in result)
    preview = replace(result, size=(width, height), faces=faces).draw(small)
    thumbnails = [
        shrink(pixels[y1:y2, x1:x2], THUMBNAIL_SIDE) for x1, y1, x2, y2 in (face.pixel_box for face in result)
    ]
    return {"preview": data_url(preview), "thumbnails": [data_url(face) for face in thumbnails]}


def scaled(box: Box, factor: float) -> Box:
    """The box in a picture that was resized by `factor`."""
    x1, y1, x2, y2 = box
    return x1 * factor, y1 * factor, x2 * factor, y2 * factor


def shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture with at most `side` pixels on its longer side."""
    height, width = pixels.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def data_url(pixels: NDArray[np.uint8]) -> str:
    """The picture as a JPEG inside a ``data:`` URL, which needs no second request."""
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def problem(error: Exception, message: str) -> Response:
    """The error as JSON for programs, as a page for people."""
    if request.path.startswith("/api/"):
        return jsonify(error={"type": type(error).__name__, "message": message})
    return Response(render(problem=message), content_type="text/html; charset=utf-8")


def render(**values: Any) -> str:
    """The page; Flask escapes every value."""
    return render_template_string(PAGE, max_megabytes=MAX_UPLOAD // 1_000_000, **values)


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% if problem %}Problem: {% elif result %}{{ name }}: {% endif %}who wears a mask?</title>
<style>
  :root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #17202a; --soft: #51606f; --line: #d5dce3;
          --accent: #0b5fa5; --on-accent: #fff; --bad: #a3200d; --bad-page: #fdeeeb; }
  @media (prefers-color-scheme: dark) {
    :root { --page: #12171c; --card: #1c232a; --text: #e8edf2; --soft: #a5b3c1; --line: #36424e;
            --accent: #7cbcf5; --on-accent: #0a1a29; --bad: #ffb3a6; --bad-page: #3a1a15; }
  }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text);
         font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
  h1, h2, p, dl { margin: 0 0 .75rem; }
  h1 { font-size: 1.6rem; line-height: 1.2; }
  h2 { font-size: 1.2rem; line-height: 1.3; }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem;
          margin-top: 1.25rem; }
  .card > :last-child { margin-bottom: 0; }
  .soft { color: var(--soft); font-size: .9rem; }
  .problem { background: var(--bad-page); border-color: var(--bad); color: var(--bad); }
  .problem p::first-letter { text-transform: uppercase; }
  label { display: block; font-weight: 600; margin-bottom: .4rem; }
  .row { display: flex; flex-wrap: wrap; gap: .75rem; margin-bottom: .5rem; }
  input { flex: 1 1 16rem; min-width: 0; padding: .5rem; border: 1px solid var(--soft); border-radius: .5rem;
          font: inherit; }
  button { padding: .6rem 1.25rem; border: 0; border-radius: .5rem; background: var(--accent);
           color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  img { display: block; max-width: 100%; height: auto; border-radius: .5rem; }
  .preview { margin: 0 auto .75rem; }
  .thumbnail { width: 3.5rem; height: 3.5rem; object-fit: cover; }
  table { width: 100%; border-collapse: collapse; margin-bottom: 1rem; font-variant-numeric: tabular-nums; }
  th, td { padding: .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: middle; }
  thead th { color: var(--soft); font-size: .85rem; vertical-align: bottom; }
  .label { font-weight: 600; }
  dl { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
  dl div { display: flex; gap: .4rem; }
  dt { color: var(--soft); }
  dd { margin: 0; font-variant-numeric: tabular-nums; }
  @media (max-width: 36rem) { /* no room for columns: a row becomes a small card, with a name before each value */
    .card { padding: .9rem; }
    thead { position: absolute; clip-path: inset(50%); }
    tr { display: grid; grid-template-columns: 4.25rem 1fr; padding: .6rem 0; border-bottom: 1px solid var(--line); }
    td { grid-column: 2; padding: 0; border: 0; }
    td:first-child { grid-area: 1 / 1 / 5; }
    td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); }
  }
</style>
</head>
<body>
<header>
  <h1>Who wears a mask?</h1>
  <p>Choose a picture: maskcheck finds the faces and says whether each wears a mask.</p>
</header>
<main>
{% if problem %}
<section class="card problem" role="alert">
  <h2>That did not work</h2>
  <p>{{ problem }}</p>
</section>
{% endif %}
<form class="card" action="/" method="post" enctype="multipart/form-data">
  <label for="picture">Picture</label>
  <div class="row">
    <input id="picture" name="picture" type="file" required aria-describedby="limits"
           accept="image/jpeg,image/png,image/webp,image/avif,image/gif,image/bmp,image/tiff">
    <button type="submit">Find faces</button>
  </div>
  <p class="soft" id="limits">JPEG, PNG, WebP and others, up to {{ max_megabytes }}&nbsp;MB. The picture is not
    stored.</p>
</form>
{% if result %}
<section class="card" aria-labelledby="result">
  <h2 id="result">{{ name }}: {{ result | length or "no" }} {{ "face" if result | length == 1 else "faces" }}</h2>
  <img class="preview" src="{{ preview }}" alt="{{ name }}, with a box and a label on each face">
  {% if result.faces %}
  <table role="table"> {# the roles stay where CSS changes the layout #}
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader">Face</th><th role="columnheader">Label</th><th role="columnheader">Confidence</th>
      <th role="columnheader">Detection score</th><th role="columnheader">Box (x, y)</th>
    </tr></thead>
    <tbody role="rowgroup">
    {% for face in result %}
    <tr role="row">
      <td role="cell"><img class="thumbnail" src="{{ thumbnails[loop.index0] }}" alt="Face {{ loop.index }}"></td>
      <td role="cell" class="label">{{ face.label.replace("_", " ") }}</td>
      <td role="cell" data-name="Confidence">{{ "%.1f" | format(100 * face.confidence) }}%</td>
      <td role="cell" data-name="Detection score">{{ "%.2f" | format(face.detection_score) }}</td>
      <td role="cell" data-name="Box">{{ "%d, %d to %d, %d" | format(*face.pixel_box) }}</td>
    </tr>
    {% endfor %}
    </tbody>
  </table>
  {% else %}
  <p>No face was found. The detector finds faces that are near and turned to the camera.</p>
  {% endif %}
  {% for note in result.notes %}<p>Note: {{ note }}.</p>{% endfor %}
  <dl aria-label="Timings">
    {% for stage, value in result.timings.to_dict().items() %}
    <div><dt>{{ stage | capitalize }}</dt><dd>{{ "%.1f" | format(value) }} ms</dd></div>
    {% endfor %}
  </dl>
  <p class="soft">{{ result.size[0] }} &times; {{ result.size[1] }} pixels, detector {{ result.receipt.detector }},
    model {{ result.receipt.model }} on {{ result.receipt.providers[0] }}.</p>
</section>
{% endif %}
</main>
</body>
</html>
"""


if __name__ == "__main__":
    create_app(MaskPipeline(limits=LIMITS)).run(host="127.0.0.1", port=5000)
