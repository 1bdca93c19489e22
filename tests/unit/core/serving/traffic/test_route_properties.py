"""Whatever happens to canaries, routes and Gateways, the weights sum to 100 and nothing in quarantine ever gets any.

What must never happen is asserted by the cluster itself at every write; see `serving_cluster_gateways.py`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.support import effort
from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.rollout.test_canary_properties import Canaries
from tests.unit.core.serving.serving_cluster import ServingCluster
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, accepts, answers, weights

from .test_route_acceptance import FOREIGN

STEPS = {"canary": {"steps": [{"weight": 5}, {"weight": 60, "pause": "10m"}, {"weight": 99}]}}


def refuses(route: dict[str, Any]) -> None:
    answers(route, route["metadata"]["generation"], Accepted="False")


def says_nothing(route: dict[str, Any]) -> None:
    """Do what an absent Gateway does."""


class Routes(Canaries):
    """A ModelDeployment behind Gateways, under everything that can happen to it."""

    @initialize(replicas=st.integers(min_value=0, max_value=3), drains=st.booleans())
    def start(self, replicas: int, drains: bool) -> None:
        self.cluster = ServingCluster(replicas=replicas, drains=drains, strategy=STEPS, traffic=TRAFFIC)
        self.cluster.gateway = accepts
        for number in (1, 2):
            self.cluster.add(number)
            self.cluster.settle()

    @rule(gateway=st.sampled_from([accepts, accepts, refuses, says_nothing]))
    def gateways_come_and_go(self, gateway: Any) -> None:
        self.cluster.gateway = gateway

    @rule(there=st.sampled_from([True, True, False]))
    def the_gateway_api_comes_and_goes(self, there: bool) -> None:
        self.cluster.gateway_api = there
        if not there:
            self.cluster.route = None

    @rule(wanted=st.booleans())
    def the_wish_for_gateways_changes(self, wanted: bool) -> None:
        self.cluster.edit(traffic=TRAFFIC if wanted else None, strategy=STEPS)

    @rule(foreign=st.booleans())
    def somebody_deletes_the_route_or_takes_its_name(self, foreign: bool) -> None:
        self.cluster.route = {**FOREIGN} if foreign and self.cluster.gateway_api else None

    @precondition(lambda self: self.cluster.route and self.cluster.route["metadata"]["uid"] != "theirs")
    @rule(data=st.data(), weight=st.integers(min_value=0, max_value=100))
    def somebody_edits_a_weight(self, data: st.DataObject, weight: int) -> None:
        route = self.cluster.route
        assert route is not None
        data.draw(st.sampled_from(route["spec"]["rules"][0]["backendRefs"]))["weight"] = weight
        route["metadata"]["generation"] += 1
        self.cluster._touch(route)

    @precondition(lambda self: self.cluster.services)
    @rule(data=st.data())
    def somebody_deletes_a_revisions_service(self, data: st.DataObject) -> None:
        del self.cluster.services[data.draw(st.sampled_from(sorted(self.cluster.services)))]

    def heal(self) -> None:
        """Bring the Gateways back, and see that the route follows what is live."""
        cluster = self.cluster
        cluster.gateway, cluster.gateway_api = accepts, True
        if cluster.route and cluster.route["metadata"]["uid"] == "theirs":
            cluster.route = None
        cluster.edit(traffic=TRAFFIC)
        super().heal()
        live, candidate = cluster.status.live, cluster.status.candidate
        if live is None:
            return
        shares = weights(cluster.route)
        assert shares[live.revision] == 100
        assert shares.keys() == {ref.revision for ref in (live, candidate) if ref}
        assert set(cluster.services) == {f"{serving_cluster_gateways.PREFIX}{revision}" for revision in shares}
        assert cluster.condition("RouteReady") == ("True", "RouteAccepted")


Routes.TestCase.settings = settings(max_examples=effort.cases(25), stateful_step_count=30)
test_the_route_only_sends_requests_where_it_may_whatever_happens = Routes.TestCase
