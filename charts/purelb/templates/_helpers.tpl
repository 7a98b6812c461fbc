{{/* The chart's name, part of the selectors. */}}
{{- define "purelb.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The prefix of names that carry the release's. */}}
{{- define "purelb.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "purelb.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "purelb.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Selectors are immutable and those of PureLB's chart, so that its releases can be upgraded. */}}
{{- define "purelb.selectorLabels" -}}
app.kubernetes.io/name: {{ include "purelb.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The labels of every object. */}}
{{- define "purelb.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "purelb.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels, and those of the user's, which count where both name one: (list LABELS USERS). */}}
{{- define "purelb.withLabels" -}}
{{- toYaml (merge (dict) (default (dict) (index . 1)) (fromYaml (index . 0))) }}
{{- end }}

{{/* Labels of nodes: the user's, and that of the system that we are built for. */}}
{{- define "purelb.nodeSelector" -}}
{{- include "purelb.withLabels" (list "kubernetes.io/os: linux" .) }}
{{- end }}

{{/* The labels of a component's Pods: (list ROOT COMPONENT). The last two are those that PureLB's
     manifests have and tools look for. No versions: a new chart alone restarts nothing. */}}
{{- define "purelb.podLabels" -}}
{{ include "purelb.selectorLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
app: purelb
component: {{ index . 1 }}
{{- end }}

{{/* The labels of a component's objects: (list ROOT COMPONENT). */}}
{{- define "purelb.componentLabels" -}}
{{ include "purelb.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
app: purelb
component: {{ index . 1 }}
{{- end }}

{{/* An image of ours: (list ROOT NAME). */}}
{{- define "purelb.image" -}}
{{- $root := index . 0 -}}
{{- printf "%s/%s:%s" $root.Values.image.repository (index . 1) (default $root.Chart.AppVersion $root.Values.image.tag | toString) -}}
{{- end }}

{{/* What both workloads' Pods have: (list ROOT PRIORITY-CLASS). */}}
{{- define "purelb.pod" -}}
{{- $root := index . 0 -}}
priorityClassName: {{ default (index . 1) $root.Values.priorityClassName }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Variables that both daemons read. */}}
{{- define "purelb.env" -}}
- name: DEFAULT_ANNOUNCER
  value: {{ .Values.defaultAnnouncer | quote }}
- name: PURELB_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: PURELB_POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: PURELB_LEASE_DURATION
  value: {{ .Values.leaseConfig.leaseDuration | quote }}
- name: PURELB_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- end }}

{{/* The probes of both daemons; with the host's network the kubelet asks the node's address. */}}
{{- define "purelb.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: monitoring}
  initialDelaySeconds: 10
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: monitoring}
  periodSeconds: 2
  timeoutSeconds: 2
{{- end }}

{{/* The name of the Secret with the heartbeats' key; empty if there is none. */}}
{{- define "purelb.heartbeatSecret" -}}
{{- if .Values.heartbeat.existingSecret }}
{{- .Values.heartbeat.existingSecret }}
{{- else if .Values.heartbeat.create -}}
purelb-heartbeat
{{- end }}
{{- end }}

{{/* Where alerts and Services find a Prometheus operator. */}}
{{- define "purelb.hasOperator" -}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}yes{{ end }}
{{- end }}
