"""A server whose certificate nobody vouches for gets no request, whatever the environment says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from llm_server.launch import Running, self_signed
from questionnaire import answer_elsewhere, service_at

from grasp_bench.core.errors import ServiceError


@pytest.mark.parametrize("variable", ["", "SSL_VERIFY"])
def test_a_self_signed_certificate_is_refused(
    llm_server: Callable[..., Running], tmp_path: Path, variable: str
) -> None:
    server = llm_server(certificate=self_signed(tmp_path))
    environment = {variable: "False"} if variable else {}
    service = service_at(server, max_attempts=2)
    with pytest.raises(ServiceError, match="certificate"):
        answer_elsewhere(tmp_path / "ledger.sqlite", service, 3, environment)
    assert server.counts().received == 0


def test_a_certificate_that_the_environment_vouches_for_is_accepted(
    llm_server: Callable[..., Running], tmp_path: Path
) -> None:
    """Private servers need no unsafe switch: their authority is named in SSL_CERT_FILE."""
    certificate = self_signed(tmp_path)
    server = llm_server(certificate=certificate)
    answer_elsewhere(tmp_path / "ledger.sqlite", service_at(server), 3, {"SSL_CERT_FILE": certificate[0]})
    assert server.counts().billed == 3
