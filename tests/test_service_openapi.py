"""The service does what its OpenAPI document says: schemathesis makes requests from it, right and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maskcheck import MaskPipeline

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, settings  # noqa: E402 # after the packages that it needs
from hypothesis import strategies as st  # noqa: E402
from running_service import NumberedDetector, Running, picture, running  # noqa: E402

from maskcheck.service.app import create_app  # noqa: E402
from maskcheck.service.settings import ServiceSettings  # noqa: E402

PICTURES = st.integers(0, 40).map(picture)
for kind in ("image/jpeg", "image/png", "image/webp", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, PICTURES)

schema = schemathesis.openapi.from_dict(create_app(pipeline=MaskPipeline(NumberedDetector())).openapi())


def test_a_token_is_documented_where_one_is_needed() -> None:
    for tokens, expected in (((), False), (("secret",), True)):
        document = create_app(ServiceSettings(tokens=tokens), MaskPipeline(NumberedDetector())).openapi()
        assert ("security" in document["paths"]["/v1/detect"]["post"]) == expected
        assert "security" not in document["paths"]["/healthz"]["get"]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(MaskPipeline(NumberedDetector())) as server:
        yield server


@schema.include(path_regex="^/(v1|healthz|readyz|metrics)").parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: Any, server: Running) -> None:
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_headers_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    # In a form, any bytes are a file; one that is no picture is a result with an error.
    if case.media_type != "multipart/form-data":
        checks.append(schemathesis.specs.openapi.checks.negative_data_rejection)
    case.call_and_validate(base_url=server.url, checks=checks)
