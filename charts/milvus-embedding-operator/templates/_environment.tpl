{{/* The operator's settings as its environment: each value below settings under its own name, and those that stand
elsewhere. What is empty is the operator's default. */}}
{{- define "operator.environment" -}}
{{- $given := dict "healthAddress" (printf ":%d" (int .Values.healthPort)) "leaseNamespace" (include "operator.leaseNamespace" .) "leaseName" (include "operator.leaseName" .) "namespaces" .Values.namespaces "owner" .Values.owner "secretSelector" .Values.secrets.selector -}}
{{- $settings := mergeOverwrite (deepCopy .Values.settings) $given -}}
{{- range $name, $value := $settings }}
{{- if or (kindIs "bool" $value) $value }}
- name: MILVUS_EMBEDDING_{{ $name | snakecase | upper }}
  value: {{ ternary (join "," $value) (toString $value) (kindIs "slice" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}
