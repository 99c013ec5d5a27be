from __future__ import annotations

import json
from typing import TYPE_CHECKING

from crds.tests.gates import Fail, Hold
from webhook import claims, handler
from webhook.tests.program import GOOD
from webhook.tests.replica import bound, calls_to
from webhook.tests.reviews import body, mac, patched, pod, pool, request

if TYPE_CHECKING:
    import pytest

    from webhook.tests.program import Program


async def test_a_good_request_gets_its_address(program: Program) -> None:
    new = pod(GOOD)

    answer = await program.post(body(request(new)))

    assert answer.response["uid"] == "r-1"
    assert json.loads(patched(new, answer.body)["metadata"]["annotations"].popitem()[1]) == [
        {"name": "ovs-conf", "namespace": "shop", "mac": "02:00:00:00:00:00"}
    ]
    assert set(program.cluster.allocated) == {mac(0)}


async def test_a_dry_run_shows_an_address_and_writes_nothing(program: Program) -> None:
    new = pod(GOOD)

    answer = await program.post(body(request(new, dryRun=True)))

    assert "02:00:00:00:00:00" in str(patched(new, answer.body))
    assert program.cluster.allocated == {}


async def test_an_update_keeps_what_the_old_object_had(program: Program) -> None:
    old = pod('[{"name":"ovs-conf","mac":"02:00:00:00:00:09"}]')
    new = pod(GOOD)

    answer = await program.post(body(request(new, operation="UPDATE", oldObject=old)))

    assert "02:00:00:00:00:09" in str(patched(new, answer.body))
    assert program.cluster.calls == []


async def test_a_comma_list_is_allowed_with_a_warning(program: Program) -> None:
    answer = await program.post(body(request(pod("ovs-conf"))))

    (warning,) = answer.response["warnings"]
    assert "only the JSON form gets addresses" in warning
    assert "patch" not in answer.response


async def test_an_exhausted_pool_is_a_refusal(program: Program) -> None:
    program.pool = pool(1)
    await program.cluster.allocations.create(bound(0))

    response = (await program.post(body(request(pod(GOOD))))).response

    assert not response["allowed"]
    assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")
    assert response["status"]["message"].startswith("Pod shop/web: pool default (02:")


async def test_a_taken_address_is_a_refusal(program: Program) -> None:
    await program.cluster.allocations.create(bound(1))
    asks = '[{"name":"a","mac":"02-00-00-00-00-01"}]'

    response = (await program.post(body(request(pod(asks))))).response

    assert response["status"]["code"] == 403
    assert response["status"]["message"].startswith(
        "Pod shop/web: interface net1 asks for 02:00:00:00:00:01, which "
    )


async def test_an_api_server_that_is_away_is_a_reason_to_retry(program: Program) -> None:
    program.cluster.gate = Fail(calls_to("create"))

    response = (await program.post(body(request(pod(GOOD))))).response

    assert (response["status"]["code"], response["status"]["reason"]) == (503, "ServiceUnavailable")
    assert response["status"]["message"] == (
        "Pod shop/web: no address could be stored (no answer to: webhook-1 create allocation"
        " 02:00:00:00:00:00): retry"
    )


async def test_an_api_server_that_does_not_answer_is_a_reason_to_retry(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "DEADLINE_S", 0.0)
    monkeypatch.setattr(claims, "_ENDING_S", 0.0)
    program.cluster.gate = Hold(calls_to("create"))

    response = (await program.post(body(request(pod(GOOD))))).response

    assert response["status"]["code"] == 503
    assert response["status"]["message"] == (
        "Pod shop/web: no address could be stored (no answer within 0 s): retry"
    )


async def test_without_a_pool_nothing_is_given_out(program: Program) -> None:
    program.pool = None

    response = (await program.post(body(request(pod(GOOD))))).response

    assert response["status"]["code"] == 503
    assert response["status"]["message"] == (
        "Pod shop/web: kubemacpool is not ready yet: retry in a minute"
    )


async def test_it_is_ready_when_nothing_is_missing(program: Program) -> None:
    answer = await program.ask("GET", "/readyz")

    assert (answer.status, answer.text) == (200, "ok")


async def test_it_says_why_it_is_not_ready_and_serves_no_request_until_then(
    program: Program,
) -> None:
    program.missing = ["there is no serving certificate yet", "the allocations are not listed yet"]

    ready = await program.ask("GET", "/readyz")
    served = await program.post(body(request(pod(GOOD))))

    assert (ready.status, ready.text) == (503, "\n".join(program.missing))
    assert served.response == {
        "uid": "r-1",
        "allowed": False,
        "status": {
            "code": 503,
            "reason": "ServiceUnavailable",
            "message": "Pod shop/web: kubemacpool is not ready yet (there is no serving certificate"
            " yet; the allocations are not listed yet): retry in a minute",
        },
    }
    assert (await program.ask("GET", "/healthz")).text == "ok"
    assert program.cluster.calls == []


async def test_a_pod_that_needs_no_address_does_not_wait_until_the_webhook_is_ready(
    program: Program,
) -> None:
    program.missing = ["the allocations are not listed yet"]

    response = (await program.post(body(request(pod("ovs-conf"))))).response

    assert response["allowed"]
