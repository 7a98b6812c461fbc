{{/*
While a release of PureLB's is being upgraded its agents run on, node by node, under our rights. They
write whole objects where ours patch, and look for Leases in all namespaces; without that right they
would lose theirs, and with PureLB that means an address on two nodes. Its allocator gets nothing:
there must be one that gives addresses. These are rules of the agent's own ClusterRole, so that there
is no moment without them: objects of their own would come after that role was changed.
An upgrade that finds our own workload and none of PureLB's agents takes this away: one that is run
again, because the one before it timed out, does not. Their Pods have no label `component`.
*/}}
{{- define "purelb.formerRules" -}}
{{- $workload := lookup "apps/v1" "DaemonSet" .Release.Namespace "lbnodeagent" }}
{{- $areLeft := and $workload (not (dig "metadata" "annotations" "purelb.io/applied-by" "" $workload)) }}
{{- range (lookup "v1" "Pod" .Release.Namespace "").items }}
{{- $labels := default (dict) .metadata.labels }}
{{- if and (eq (dig "app.kubernetes.io/component" "" $labels) "lbnodeagent") (not (hasKey $labels "component")) }}
{{- $areLeft = true }}
{{- end }}
{{- end }}
{{- if $areLeft }}
- apiGroups: [""]
  resources: [services]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
{{- end }}
{{- end }}
