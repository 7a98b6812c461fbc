"""The list of built-in resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from playground.apiserver.builtin import admission, columns, schemas
from playground.apiserver.builtin.services import ServiceAdmission, with_ip_modes
from playground.apiserver.kinds import SELECTABLE, Admission, Resource
from playground.apiserver.schema import compiled
from playground.apiserver.selectors import FieldGetter, path_getter

JsonObject = dict[str, Any]


def _selectable(*paths: str) -> Mapping[str, FieldGetter]:
    return dict(SELECTABLE) | {path: path_getter(path) for path in paths}


def _event_source(obj: JsonObject) -> str:
    return path_getter("source.component")(obj) or path_getter("reportingComponent")(obj)


EVENT_FIELDS = dict(
    _selectable(
        *(
            f"involvedObject.{key}"
            for key in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")
        ),
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    )
) | {"source": _event_source}


def builtin_resources(node_ports: range) -> Iterator[Resource]:
    """Yield every built-in resource but CustomResourceDefinitions."""
    yield _service(ServiceAdmission(node_ports))
    yield from _cluster()
    yield from _pods_and_events()
    yield from _small()
    yield from _groups()


def _resource(schema: JsonObject, **rest: Any) -> Resource:  # noqa: ANN401  # Resource checks them
    group, version = rest.pop("group", ""), rest.pop("version", "v1")
    return Resource(group=group, version=version, schema=schema, node=compiled(schema), **rest)


def _service(services: ServiceAdmission) -> Resource:
    return _resource(
        schemas.SERVICE,
        plural="services",
        singular="service",
        kind="Service",
        short_names=("svc",),
        categories=("all",),
        has_status=True,
        is_created_by_update=True,
        name_rule="label1035",
        columns=columns.SERVICE,
        admission=Admission(
            decoded=with_ip_modes,
            spec=services.spec,
            status=services.status,
            stored=services.stored,
        ),
        selectable=_selectable("spec.clusterIP", "spec.type"),
    )


def _cluster() -> Iterator[Resource]:
    yield _resource(
        schemas.NAMESPACE,
        plural="namespaces",
        singular="namespace",
        kind="Namespace",
        short_names=("ns",),
        is_namespaced=False,
        has_status=True,
        name_rule="label",
        columns=columns.NAMESPACE,
        admission=Admission(spec=admission.namespace),
        selectable=_selectable("status.phase"),
    )
    yield _resource(
        schemas.NODE,
        plural="nodes",
        singular="node",
        kind="Node",
        short_names=("no",),
        is_namespaced=False,
        has_status=True,
        keeps_status=True,
        columns=columns.NODE,
        admission=Admission(spec=admission.node),
        selectable=_selectable("spec.unschedulable"),
    )


def _pods_and_events() -> Iterator[Resource]:
    yield _resource(
        schemas.POD,
        plural="pods",
        singular="pod",
        kind="Pod",
        short_names=("po",),
        categories=("all",),
        has_status=True,
        has_generation=True,
        columns=columns.POD,
        admission=Admission(spec=admission.pod),
        selectable=_selectable(
            "spec.nodeName", "status.phase", "status.podIP", "spec.schedulerName"
        ),
    )
    yield _resource(
        schemas.EVENT,
        plural="events",
        singular="event",
        kind="Event",
        short_names=("ev",),
        is_created_by_update=True,
        columns=columns.EVENT,
        admission=Admission(spec=admission.event),
        selectable=EVENT_FIELDS,
    )


def _small() -> Iterator[Resource]:
    yield _resource(
        schemas.ENDPOINTS,
        plural="endpoints",
        singular="endpoints",
        kind="Endpoints",
        short_names=("ep",),
        is_created_by_update=True,
        columns=columns.ENDPOINTS,
    )
    yield _resource(
        schemas.SECRET,
        plural="secrets",
        singular="secret",
        kind="Secret",
        columns=columns.SECRET,
        admission=Admission(spec=admission.secret),
        selectable=_selectable("type"),
    )
    yield _resource(
        schemas.CONFIG_MAP,
        plural="configmaps",
        singular="configmap",
        kind="ConfigMap",
        short_names=("cm",),
        columns=columns.CONFIG_MAP,
        admission=Admission(spec=admission.immutable_data),
    )
    yield _resource(
        schemas.SERVICE_ACCOUNT,
        plural="serviceaccounts",
        singular="serviceaccount",
        kind="ServiceAccount",
        short_names=("sa",),
        columns=columns.SERVICE_ACCOUNT,
    )


def _groups() -> Iterator[Resource]:
    yield _resource(
        schemas.ENDPOINT_SLICE,
        group="discovery.k8s.io",
        plural="endpointslices",
        singular="endpointslice",
        kind="EndpointSlice",
        columns=columns.ENDPOINT_SLICE,
        has_generation=True,
        admission=Admission(spec=admission.endpoint_slice),
    )
    yield _resource(
        schemas.LEASE,
        group="coordination.k8s.io",
        plural="leases",
        singular="lease",
        kind="Lease",
        is_created_by_update=True,
        is_version_required=True,
        columns=columns.LEASE,
        admission=Admission(spec=admission.lease),
    )
    yield _workload("deployments", "Deployment", "deploy", admission.deployment)
    yield _workload("daemonsets", "DaemonSet", "ds", admission.workload)


def _workload(plural: str, kind: str, short: str, admit: Callable[..., JsonObject]) -> Resource:
    is_deployment = kind == "Deployment"
    return _resource(
        schemas.DEPLOYMENT if is_deployment else schemas.DAEMON_SET,
        group="apps",
        plural=plural,
        singular=kind.lower(),
        kind=kind,
        short_names=(short,),
        categories=("all",),
        has_status=True,
        has_generation=True,
        columns=columns.DEPLOYMENT if is_deployment else columns.DAEMON_SET,
        admission=Admission(spec=admit),
    )
