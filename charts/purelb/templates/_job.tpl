{{/* Annotations of an object that exists for a Job only: (list HOOKS WEIGHT). */}}
{{- define "purelb.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* A Job's Pod: (list ROOT NAME ARGUMENTS). `upkeep` is in the allocator's image. */}}
{{- define "purelb.jobPod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ index . 1 }}
restartPolicy: Never
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
nodeSelector:
  {{- include "purelb.nodeSelector" $root.Values.allocator.nodeSelector | nindent 2 }}
{{- with $root.Values.allocator.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: upkeep
    image: {{ include "purelb.image" (list $root "allocator") | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [python, -m, upkeep, {{ join ", " (index . 2) }}]
    env:
      - name: PURELB_NAMESPACE
        valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    resources:
      requests: {cpu: 50m, memory: 64Mi}
      limits: {memory: 128Mi}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
{{- end }}
