"""What PureLB's plugin promises to scripts, as tables; `test_contract` compares them with ours.

Belongs here: flags, JSON keys, exit codes. Does not: texts of tables and checks (golden files).

Keys: `name{...}` is an object, `name[{...}]` a list of them, `name[]` a list of texts; `#` marks a
whole number, `%` any number, `!` a yes or no, all else is text. What ends in `?` is left out while
it is empty; everything else is always there. Not here: `netboxURL` and `netboxTenant` of groups,
which stay empty because no ServiceGroup of today can have them.
"""

# Of every command; `=` takes a value.
PERSISTENT = """
--kubeconfig= --context= --cluster= --user= -n/--namespace= -s/--server= --token= --as= --as-group=
--as-uid= --certificate-authority= --client-certificate= --client-key= --tls-server-name=
--insecure-skip-tls-verify --request-timeout= --cache-dir= --disable-compression
"""

# Words behind `=` are the value that counts without the flag.
FLAGS = {
    "status": "-o/--output=",
    "pools": "-o/--output= --service-group= --show-services",
    "services": "-o/--output= --pool= --node= --ip= --problems",
    "election": "-o/--output= --node= --check --simulate-drain=",
    "bgp sessions": "-o/--output= --node= --check",
    "bgp dataplane": "-o/--output= --node= --check --vrf= --import-only --export-only",
    "inspect": "-o/--output=",
    "validate": "-o/--output= --strict",
    "version": "-o/--output=",
    "gobgp": "--node=",
    "ip": "--node=",
    "dashboard": "-o/--output= --interval=1s --gobgp-interval=5s",
}

KEYS = {
    "status": """
        components{allocator, lbnodeagent, k8gobgp?}, pools{summary}, election{summary},
        bgp{summary}, services{summary}, overall, warnings[]?
    """,
    "pools": """
        serviceGroups[{
            name, type, allocated#?,
            ranges[{pool, subnet, family, size#, used#, available#, utilPercent%, services[]?}]?
        }],
        totalIPv4#, usedIPv4#, totalIPv6#, usedIPv6#, netboxPools#, netboxAllocated#
    """,
    "services": """
        services[{
            namespace, name, ip, pool, poolType, ipam, announcing, sharingKey, status
        }],
        sharedIPs[{ip, sharingKey, services[]}]?, totalServices#, totalIPs#, problems#
    """,
    "election": """
        nodes[{
            name, subnets[], renewedAgo, expiresIn, healthy!, announcing#,
            config{state, agent?, ignored[]?, contested!?, reason?}
        }],
        subnetCoverage[{subnet, nodes[], pools[]}],
        uncoveredRanges[{serviceGroup, pool, subnet}]?,
        drainSimulation[{service, ip, currentWinner, newWinner, subnet, warning?}]?, drainNode?
    """,
    "bgp sessions": """
        globalASN#, routerIDMode,
        sessions[{
            node, routerID, neighbor, peerASN#, localASN#, state, uptime, prefixesSent#,
            prefixesReceived#, lastError?, selector?
        }],
        problems[]?
    """,
    "bgp dataplane": """
        importEnabled!, importInterfaces[{node, interface, exists!, operState}]?,
        importAddresses[{node, interface, address, inRIB!}]?,
        ribRoutes[{node, prefix, nextHop, advertisedTo[]?, service?}]?,
        exportEnabled!, exportRules[{name, metric#, tableID#}]?,
        exportRoutes[{node, prefix, fromPeer?, table, metric#, installed!, reason?}]?,
        vrfs[{name, rd, importedRoutes#, exportedRoutes#}]?,
        crossReference[{ip, service, status, node?}]?, problems[]?
    """,
    "inspect": """
        service, type, ipFamilies, externalTrafficPolicy, status,
        allocations[{ip, pool, poolType, range?, subnet?}]?,
        elections[{
            ip, candidates[], subnet, winner, method, preferredNodes[]?, matchesAnnouncer!
        }]?,
        announcements[{ip, node, interface, leaseHealthy!, renewedAgo?}]?,
        sharing{key, coTenants[]}?, endpoints{ready#, nodes[]},
        bgp[{ip, node, inRIB!, advertised!}]?, bgpNote?, diagnosis{reason, details[]}?
    """,
    "validate": "checks[{status, message}], pass#, warn#, fail#",
    "version": """
        plugin, allocator{image, pods#, running#}, lbnodeagent{image, pods#, running#},
        k8gobgp{image, pods#, running#}, crds[], consistent!
    """,
}

# A cluster of `test_contract`, a command, and its exit code.
EXITS = """
healthy  0  status
healthy  0  validate
healthy  0  version
healthy  0  bgp sessions
healthy  0  bgp sessions -o json
healthy  0  bgp dataplane
healthy  0  gobgp neighbor
healthy  0  ip link
healthy  0  bgp
healthy  1  status -o xml
healthy  1  inspect shop/nope
healthy  1  inspect
healthy  1  status --nope
local    0  validate --strict
local    0  validate --strict -o json
ill      0  status
ill      0  status -o json
ill      0  pools
ill      0  services
ill      0  services --problems
ill      0  election
ill      0  election --check
ill      0  election --simulate-drain node-a
ill      0  bgp sessions --check
ill      0  bgp dataplane --check
ill      0  inspect shop/late
ill      1  validate
ill      1  validate -o json
ill      1  validate -o yaml
doubtful 0  validate
doubtful 0  validate -o json
doubtful 1  validate --strict
doubtful 1  validate --strict -o json
nowhere  1  status
nowhere  1  pools -o json
nowhere  1  validate
"""
