{{/* Annotations of an object that exists for a Job only: (list HOOKS WEIGHT). */}}
{{- define "purelb.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* A Job's Pod: (list ROOT NAME ARGUMENTS). `upkeep` is in the allocator's image, and runs
     where and as it does. */}}
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
{{- with $root.Values.allocator.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
    {{- with $root.Values.allocator.containerSecurityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
