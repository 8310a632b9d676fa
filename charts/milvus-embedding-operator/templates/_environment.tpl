{{/* The operator's settings as its environment: each value below settings under its own name, and those that stand
elsewhere. What is empty is the operator's default. A name in extraEnv is left to it: a server-side apply refuses a list
that has a name twice. */}}
{{- define "operator.environment" -}}
{{- $given := dict "healthAddress" (printf ":%d" (int .Values.healthPort)) "leaseNamespace" (include "operator.leaseNamespace" .) "leaseName" (include "operator.leaseName" .) "namespaces" .Values.namespaces "owner" .Values.owner "secretSelector" .Values.secrets.selector -}}
{{- $settings := mergeOverwrite (deepCopy .Values.settings) $given -}}
{{- $others := list -}}
{{- range .Values.extraEnv }}{{ $others = append $others .name }}{{ end -}}
{{- range $name, $value := $settings }}
{{- $variable := printf "MILVUS_EMBEDDING_%s" ($name | snakecase | upper) }}
{{- if and (or (kindIs "bool" $value) $value) (not (has $variable $others)) }}
- name: {{ $variable }}
  value: {{ ternary (join "," $value) (toString $value) (kindIs "slice" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}
