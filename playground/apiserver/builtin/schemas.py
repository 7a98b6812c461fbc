"""Schemas of the built-in kinds, in `notation`.

Services, EndpointSlices, Leases, Nodes, Namespaces, Events and the small kinds are complete; of
Pods, Deployments and DaemonSets the fields that somebody looks at are described and the rest is
kept as it is.
"""

from __future__ import annotations

from playground.apiserver.builtin.notation import (
    boolean,
    conditions,
    int_or_string,
    integer,
    kind,
    loose,
    mapping,
    micro_moment,
    moment,
    reference,
    several,
    strings,
    struct,
    text,
)

SERVICE_PORT = struct(
    "A port the Service offers.",
    "port",
    name=text("Name of the port; required if there are several."),
    protocol=text("TCP, UDP or SCTP.", default="TCP"),
    appProtocol=text("Application protocol, a hint for implementations."),
    port=integer("Port number on the Service's addresses."),
    targetPort=int_or_string("Port number or name on the Pods; the same as port if left out."),
    nodePort=integer("Port on every node; allocated if the type needs one."),
)

SERVICE = kind(
    "A named set of Pods behind stable addresses.",
    spec=struct(
        "What the Service should be.",
        ports=several(
            "Ports the Service offers.", SERVICE_PORT, keys=["port", "protocol"], merge_key="port"
        ),
        selector=mapping("Labels of the Pods that traffic goes to.", atomic=True),
        clusterIP=text("Address within the cluster, None for a headless Service."),
        clusterIPs=strings("Addresses within the cluster, the first is clusterIP."),
        type=text("ClusterIP, NodePort, LoadBalancer or ExternalName."),
        externalIPs=strings("Further addresses at which nodes accept traffic."),
        sessionAffinity=text("None or ClientIP."),
        loadBalancerIP=text("Deprecated wish for an address."),
        loadBalancerSourceRanges=strings("Client networks a load balancer lets through."),
        externalName=text("DNS name that a Service of type ExternalName stands for."),
        externalTrafficPolicy=text("Cluster, or Local for endpoints of the receiving node only."),
        healthCheckNodePort=integer("Port that tells whether a node has local endpoints."),
        publishNotReadyAddresses=boolean("Whether endpoints count although they are not ready."),
        sessionAffinityConfig=struct(
            "Details of session affinity.",
            clientIP=struct("Affinity by address.", timeoutSeconds=integer("Stickiness.")),
        ),
        ipFamilies=strings("IPv4, IPv6, or both in order of preference."),
        ipFamilyPolicy=text("SingleStack, PreferDualStack or RequireDualStack."),
        allocateLoadBalancerNodePorts=boolean("Whether a LoadBalancer gets node ports."),
        loadBalancerClass=text("Which implementation is meant; cannot be changed once set."),
        internalTrafficPolicy=text("Cluster, or Local for endpoints of the sending node only."),
        trafficDistribution=text("Preference among endpoints."),
    ),
    status=struct(
        "What the Service is.",
        conditions=conditions("The state in detail."),
        loadBalancer=struct(
            "State of the load balancer.",
            ingress=several(
                "Where traffic comes in.",
                struct(
                    "One point of entry.",
                    ip=text("Address."),
                    hostname=text("DNS name."),
                    ipMode=text("VIP or Proxy."),
                    ports=several(
                        "State of each port.",
                        struct(
                            "A port.",
                            port=integer("Number."),
                            protocol=text("TCP, UDP or SCTP."),
                            error=text("What went wrong."),
                        ),
                    ),
                ),
            ),
        ),
    ),
)

ENDPOINT_SLICE = kind(
    "A part of the endpoints of a Service.",
    addressType=text("IPv4, IPv6 or FQDN; cannot be changed."),
    endpoints=several(
        "The endpoints, at most 1000.",
        struct(
            "One endpoint.",
            addresses=strings("Addresses of the endpoint."),
            conditions=struct(
                "State of the endpoint.",
                ready=boolean("Whether it takes traffic; absent counts as true."),
                serving=boolean("The same, also while terminating."),
                terminating=boolean("Whether it is being ended."),
            ),
            deprecatedTopology=mapping("Not used any more."),
            hints=loose("Which zones should use it."),
            hostname=text("Its host name."),
            nodeName=text("The node it runs on."),
            targetRef=reference("The object behind it."),
            zone=text("Its zone."),
        ),
    ),
    ports=several(
        "Ports of every endpoint.",
        struct(
            "A port.",
            name=text("Name, as in the Service."),
            protocol=text("TCP, UDP or SCTP."),
            port=integer("Number."),
            appProtocol=text("Application protocol."),
        ),
    ),
)

ENDPOINTS = kind(
    "Addresses of a Service in the older form.",
    subsets=several("Groups of addresses that share ports.", loose("A group.")),
)

LEASE = kind(
    "A right that its holder renews.",
    spec=struct(
        "The state of the right.",
        holderIdentity=text("Who holds it."),
        leaseDurationSeconds=integer("How long after renewTime it counts, at least 1."),
        acquireTime=micro_moment("When the holder got it."),
        renewTime=micro_moment("When the holder last renewed it."),
        leaseTransitions=integer("How often it changed hands."),
        strategy=text("How leaders are elected."),
        preferredHolder=text("Who should get it."),
    ),
)

NAMESPACE = kind(
    "A scope for names.",
    spec=struct("Desired state.", finalizers=strings("Who must act before it can go.")),
    status=struct(
        "State.", phase=text("Active or Terminating."), conditions=conditions("Details.")
    ),
)

NODE = kind(
    "A machine of the cluster.",
    spec=loose(
        "Desired state.",
        podCIDR=text("Address range of its Pods."),
        podCIDRs=strings("Address ranges of its Pods.", is_set=True),
        providerID=text("Its name at the provider."),
        unschedulable=boolean("Whether new Pods are kept away."),
        taints=several(
            "What keeps Pods away.",
            struct(
                "A taint.",
                key=text("Key."),
                value=text("Value."),
                effect=text("NoSchedule, PreferNoSchedule or NoExecute."),
                timeAdded=moment("Since when."),
            ),
        ),
    ),
    status=loose(
        "State.",
        addresses=several(
            "Addresses of the node.",
            struct("An address.", type=text("Which one."), address=text("The address.")),
            keys=["type"],
            merge_key="type",
        ),
        conditions=conditions("The state in detail."),
        nodeInfo=loose("Versions of its software."),
        phase=text("Not used any more."),
    ),
)

POD = kind(
    "Containers that run together on one node.",
    spec=loose(
        "Desired state.",
        nodeName=text("The node it runs on."),
        serviceAccountName=text("Its identity."),
        hostNetwork=boolean("Whether it shares the network of the node."),
        containers=several(
            "The containers.", loose("A container."), keys=["name"], merge_key="name"
        ),
    ),
    status=loose(
        "State.",
        phase=text("Pending, Running, Succeeded, Failed or Unknown."),
        podIP=text("Its address."),
        hostIP=text("The address of its node."),
        conditions=conditions("The state in detail."),
    ),
)

_WORKLOAD_SPEC = loose(
    "Desired state.",
    replicas=integer("Number of Pods."),
    selector=loose("Which Pods belong to it."),
    template=loose("What its Pods look like."),
)
_WORKLOAD_STATUS = loose("State.", conditions=conditions("The state in detail."))
DEPLOYMENT = kind("Replicated Pods.", spec=_WORKLOAD_SPEC, status=_WORKLOAD_STATUS)
DAEMON_SET = kind("A Pod on every node.", spec=_WORKLOAD_SPEC, status=_WORKLOAD_STATUS)

SECRET = kind(
    "Confidential data.",
    type=text("What it is for."),
    data=mapping("Values in base64."),
    stringData=mapping("Values as text, written only."),
    immutable=boolean("Whether data can never change."),
)
CONFIG_MAP = kind(
    "Configuration data.",
    data=mapping("Values as text."),
    binaryData=mapping("Values in base64."),
    immutable=boolean("Whether data can never change."),
)
SERVICE_ACCOUNT = kind(
    "An identity for programs.",
    secrets=several("Secrets it may use.", reference("A Secret."), keys=["name"], merge_key="name"),
    imagePullSecrets=several("Secrets for images.", reference("A Secret.")),
    automountServiceAccountToken=boolean("Whether Pods get a token."),
)

EVENT = kind(
    "Something that happened to an object.",
    involvedObject=reference("The object it is about."),
    reason=text("Why, in one word for programs."),
    message=text("What happened, for people."),
    source=struct("Who saw it.", component=text("Program."), host=text("Node.")),
    firstTimestamp=moment("When it first happened."),
    lastTimestamp=moment("When it last happened."),
    count=integer("How often it happened."),
    type=text("Normal or Warning."),
    eventTime=micro_moment("When it first happened, precisely."),
    series=loose("How it repeats."),
    action=text("What was done or failed."),
    related=reference("Another object that matters."),
    reportingComponent=text("The controller that reports."),
    reportingInstance=text("Its instance."),
)

CUSTOM_RESOURCE_DEFINITION = kind(
    "A kind of object that the server shall serve.",
    spec=loose(
        "What to serve.",
        group=text("API group."),
        scope=text("Namespaced or Cluster."),
        names=loose("Names of the resource."),
        versions=several("Versions, each with a schema.", loose("A version.")),
    ),
    status=loose(
        "What is served.",
        conditions=conditions("NamesAccepted and Established."),
        acceptedNames=loose("Names in use."),
        storedVersions=strings("Versions that were ever stored."),
    ),
)
