{{/* An approval may be taken back, and sent along unchanged, by everybody who may change the object. What makes automatic
what had to be approved is an approval for all times. */}}

{{- define "operator.approvals.annotations" -}}
- expression: >-
    variables.mayApprove || [{{ range $i, $name := . }}{{ if $i }}, {{ end }}'{{ $name }}'{{ end }}].all(name,
    object.metadata.?annotations[?('embedding.milvus.io/' + name)].orValue('') == '' ||
    object.metadata.?annotations[?('embedding.milvus.io/' + name)] ==
    variables.old.?metadata.?annotations[?('embedding.milvus.io/' + name)])
  messageExpression: "'setting one of the annotations {{ join ", " . }}' + variables.refusal"
  reason: Forbidden
{{- end -}}

{{- define "operator.approvals.milvuscollections" -}}
validations:
  {{- include "operator.approvals.annotations" (list "approved-plan" "delete-adopted" "force-release" "release-to") | nindent 2 }}
  - expression: >-
      variables.mayApprove || object.spec.?changePolicy.?approvedPlan.orValue('') == '' ||
      object.spec.?changePolicy.?approvedPlan == variables.old.?spec.?changePolicy.?approvedPlan
    messageExpression: "'setting spec.changePolicy.approvedPlan' + variables.refusal"
    reason: Forbidden
  - expression: >-
      variables.mayApprove || ['disruptive', 'rebuild'].all(class,
      object.spec.?changePolicy[?class].orValue('Manual') != 'Automatic' ||
      variables.old.?spec.?changePolicy[?class].orValue('Manual') == 'Automatic')
    messageExpression: "'setting spec.changePolicy.disruptive or rebuild to Automatic' + variables.refusal"
    reason: Forbidden
  - expression: >-
      variables.mayApprove || object.spec.?deletionPolicy.orValue('Retain') != 'Delete' ||
      variables.old.?spec.?deletionPolicy.orValue('Retain') == 'Delete'
    messageExpression: "'setting spec.deletionPolicy to Delete' + variables.refusal"
    reason: Forbidden
  - expression: >-
      variables.mayApprove || request.operation == 'CREATE' ||
      object.spec.?changePolicy.?inPlace.orValue('Automatic') != 'Automatic' ||
      variables.old.?spec.?changePolicy.?inPlace.orValue('Automatic') == 'Automatic'
    messageExpression: "'setting spec.changePolicy.inPlace to Automatic' + variables.refusal"
    reason: Forbidden
{{- end -}}

{{- define "operator.approvals.milvusconnections" -}}
validations:
  {{- include "operator.approvals.annotations" (list "approved-rollout" "confirm-deletions") | nindent 2 }}
  - expression: >-
      variables.mayApprove || object.spec.?embedding.?rollout.?approvedHash.orValue('') == '' ||
      object.spec.?embedding.?rollout.?approvedHash == variables.old.?spec.?embedding.?rollout.?approvedHash
    messageExpression: "'setting spec.embedding.rollout.approvedHash' + variables.refusal"
    reason: Forbidden
  - expression: >-
      variables.mayApprove || !object.spec.?embedding.?rollout.?allowOutage.orValue(false) ||
      variables.old.?spec.?embedding.?rollout.?allowOutage.orValue(false)
    messageExpression: "'setting spec.embedding.rollout.allowOutage to true' + variables.refusal"
    reason: Forbidden
  - expression: >-
      variables.mayApprove || request.operation == 'CREATE' ||
      object.spec.?embedding.?rollout.?approval.orValue('Automatic') != 'Automatic' ||
      variables.old.?spec.?embedding.?rollout.?approval.orValue('Automatic') == 'Automatic'
    messageExpression: "'setting spec.embedding.rollout.approval to Automatic' + variables.refusal"
    reason: Forbidden
{{- end -}}
