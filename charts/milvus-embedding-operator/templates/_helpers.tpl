{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Cut so short that every suffix below fits. */}}
{{- define "operator.fullname" -}}
{{- $name := include "operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: milvus-embedding-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "operator.username" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "operator.serviceAccountName" .) -}}
{{- end -}}

{{- define "operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "operator.leaseName" -}}
{{- default (include "operator.fullname" .) .Values.settings.leaseName -}}
{{- end -}}

{{- define "operator.leaseNamespace" -}}
{{- default .Release.Namespace .Values.settings.leaseNamespace -}}
{{- end -}}

{{/* What values.schema.json cannot say in a sentence. */}}
{{- define "operator.validate" -}}
{{- $values := .Values -}}
{{- if and $values.namespaces (not $values.owner) -}}
{{- fail "owner is not set; with namespaces it has to be, because kube-system's uid cannot be read: set owner to a name that is yours alone and never changes" -}}
{{- end -}}
{{- if $values.namespaces -}}
{{- range $values.milvusNamespaces -}}
{{- if not (has . $values.namespaces) -}}
{{- fail (printf "milvusNamespaces has %s, which namespaces has not: add it to namespaces, or remove it" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (not $values.settings.leaderElection) -}}
{{- fail "replicas is more than 1 and settings.leaderElection is false: two operators would work at the same time; set replicas to 1" -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) $values.settings.identity -}}
{{- fail "replicas is more than 1 and settings.identity is set: all replicas would have the same name in the Lease; leave identity empty" -}}
{{- end -}}
{{- if and (not $values.settings.leaderElection) (ne $values.strategy.type "Recreate") (gt (int $values.replicas) 0) -}}
{{- fail "settings.leaderElection is false and strategy.type is not Recreate: during an upgrade two operators would work at the same time; set strategy.type to Recreate" -}}
{{- end -}}
{{- $lease := $values.settings -}}
{{- if not (and (lt (float64 $lease.leaseRetryPeriod) (float64 $lease.leaseRenewDeadline)) (lt (float64 $lease.leaseRenewDeadline) (float64 $lease.leaseDuration))) -}}
{{- fail (printf "settings.leaseRetryPeriod (%v) has to be less than settings.leaseRenewDeadline (%v), and that less than settings.leaseDuration (%v)" $lease.leaseRetryPeriod $lease.leaseRenewDeadline $lease.leaseDuration) -}}
{{- end -}}
{{- if ge (float64 $lease.shutdownGrace) (float64 $values.terminationGracePeriodSeconds) -}}
{{- fail (printf "settings.shutdownGrace (%v) has to be less than terminationGracePeriodSeconds (%v): the Lease is given back after it" $lease.shutdownGrace $values.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- if and $values.secrets.rendered (not $values.rbac.create) -}}
{{- fail "secrets.rendered is set and rbac.create is false: no Role is made that could use it; remove one of them" -}}
{{- end -}}
{{- end -}}
