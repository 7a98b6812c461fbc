"""Which document each command prints; the schemas in docs/reference are made from these."""

from plugin.core.checks import ValidateReport
from plugin.core.dataplane import DataplaneReport
from plugin.core.difference import DiffReport
from plugin.core.doctor import DoctorReport
from plugin.core.document import Document
from plugin.core.election import ElectionReport
from plugin.core.evacuation import EvacuationReport
from plugin.core.explain import Explanation
from plugin.core.inspect import InspectReport
from plugin.core.moving import MoveReport
from plugin.core.pools import PoolsReport
from plugin.core.services import ServicesReport
from plugin.core.sessions import SessionsReport
from plugin.core.status import StatusReport
from plugin.core.version import VersionReport

DOCUMENTS: dict[str, type[Document]] = {
    "bgp dataplane": DataplaneReport,
    "bgp sessions": SessionsReport,
    "diff": DiffReport,
    "doctor": DoctorReport,
    "election": ElectionReport,
    "evacuate": EvacuationReport,
    "explain": Explanation,
    "inspect": InspectReport,
    "move": MoveReport,
    "pools": PoolsReport,
    "services": ServicesReport,
    "status": StatusReport,
    "validate": ValidateReport,
    "version": VersionReport,
}
