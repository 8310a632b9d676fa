{{/* What serving a namespace needs. */}}
{{- define "operator.rules.serve" -}}
- apiGroups: [embedding.milvus.io]
  resources: [milvusconnections, embeddingcredentials, embeddingfunctions, milvuscollections]
  verbs: [get, list, watch]
- apiGroups: [embedding.milvus.io]
  resources: [milvusconnections/status, embeddingcredentials/status, embeddingfunctions/status, milvuscollections/status]
  verbs: [patch]
{{- if .Values.finalizers.enabled }}
- apiGroups: [embedding.milvus.io]
  resources: [milvuscollections]
  verbs: [patch]
{{- end }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- if .Values.configMaps.enabled }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- if .Values.events.enabled }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- end -}}

{{/* What connections of a namespace need: the rendered Secrets, and what runs Milvus. */}}
{{- define "operator.rules.milvus" -}}
{{- if .Values.secrets.create }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.secrets.rendered }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [update]
{{- if .Values.rollout.enabled }}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [{{ ternary "list, patch" "list" .Values.rollout.deployments }}]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- if .Values.milvusOperator.enabled }}
- apiGroups: [milvus.io]
  resources: [milvuses]
  verbs: [{{ ternary "get, patch" "get" .Values.rollout.enabled }}]
{{- end }}
{{- end -}}

{{/* What only a ClusterRole can give. */}}
{{- define "operator.rules.cluster" -}}
{{- if .Values.namespaceLabels.enabled }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- if not .Values.owner }}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* A Role and its binding. Given: root, namespace, name, rules (text). */}}
{{- define "operator.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "operator.labels" .root | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "operator.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects: {{- include "operator.subjects" .root | nindent 2 }}
{{- end -}}

{{/* Leader election. A name cannot be demanded of a creation. */}}
{{- define "operator.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "operator.leaseName" . }}]
  verbs: [get, update]
{{- end -}}
