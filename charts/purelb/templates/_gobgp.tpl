{{/* The BGP sidecar's container. */}}
{{- define "purelb.gobgp" -}}
{{- $repository := default (printf "%s/k8gobgp" .Values.image.repository) .Values.gobgp.image.repository -}}
- name: k8gobgp
  image: {{ printf "%s:%s" $repository (default .Chart.AppVersion .Values.gobgp.image.tag | toString) | quote }}
  imagePullPolicy: {{ .Values.gobgp.image.pullPolicy }}
  env:
    - name: NODE_NAME
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: POD_NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    - name: GOBGP_TARGET
      value: unix:///var/run/gobgp/gobgp.sock
  ports:
    - {name: gobgp-metrics, containerPort: 7473}
    - {name: gobgp-health, containerPort: 7474}
  # A rollout waits for each node's: ask often.
  startupProbe:
    httpGet: {path: /readyz, port: gobgp-health}
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet: {path: /healthz, port: gobgp-health}
    periodSeconds: 20
  readinessProbe:
    httpGet: {path: /readyz, port: gobgp-health}
    periodSeconds: 10
  {{- with .Values.gobgp.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.gobgp.containerSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - {name: gobgp-socket, mountPath: /var/run/gobgp}
{{- end }}
