{{/* dyn(): the API server would otherwise remark on walks over the fields of typed objects. */}}

{{- define "operator.policy.secrets" -}}
variables:
  - name: isNew
    expression: request.operation == 'CREATE'
  - name: before
    expression: "variables.isNew ? object : oldObject"
  - name: new
    expression: dyn(object)
  - name: old
    expression: dyn(variables.before)
validations:
  - expression: >-
      object.metadata.?labels[?'embedding.milvus.io/connection'].orValue('') != '' &&
      object.metadata.?labels[?'embedding.milvus.io/connection'] ==
      variables.before.metadata.?labels[?'embedding.milvus.io/connection']
    message: the operator writes only Secrets with the label embedding.milvus.io/connection, and does not change it
    reason: Forbidden
  - expression: "!variables.isNew || object.?type.orValue('Opaque') == 'Opaque'"
    message: the operator creates only Secrets of type Opaque
    reason: Forbidden
  - expression: >-
      variables.new.metadata.all(key, key in ['managedFields', 'resourceVersion', 'generation'] ||
      (key in variables.old.metadata && variables.new.metadata[key] == variables.old.metadata[key])) &&
      variables.old.metadata.all(key, key in variables.new.metadata) &&
      (!variables.isNew || !(has(variables.new.metadata.ownerReferences) || has(variables.new.metadata.finalizers)))
    message: the operator changes nothing beside the data of a Secret, and gives it no owner and no finalizer
    reason: Forbidden
  - expression: >-
      object.?immutable.orValue(false) == (variables.isNew ? false : oldObject.?immutable.orValue(false))
    message: the operator does not make Secrets immutable
    reason: Forbidden
  - expression: >-
      object.?data.orValue({}).all(key, key in ['embedding.yaml', 'state.json',
      'MILVUSAI_DASHSCOPE_API_KEY', 'MILVUS_DASHSCOPE_API_KEY'])
    message: the operator writes only what it renders, and this key is none of it
    reason: Forbidden
{{- end -}}

{{- define "operator.policy.collections" -}}
variables:
  - name: new
    expression: dyn(object)
  - name: old
    expression: dyn(oldObject)
validations:
  - expression: >-
      variables.new.spec == variables.old.spec &&
      variables.new.metadata.all(key, key in ['managedFields', 'resourceVersion', 'generation', 'finalizers'] ||
      (key in variables.old.metadata && variables.new.metadata[key] == variables.old.metadata[key])) &&
      variables.old.metadata.all(key, key in variables.new.metadata || key == 'finalizers')
    message: the operator writes nothing of a MilvusCollection but its finalizer and the status
    reason: Forbidden
  - expression: >-
      variables.new.metadata.?finalizers.orValue([]).all(name, name == 'embedding.milvus.io/collection' ||
      name in variables.old.metadata.?finalizers.orValue([])) &&
      variables.old.metadata.?finalizers.orValue([]).all(name, name == 'embedding.milvus.io/collection' ||
      name in variables.new.metadata.?finalizers.orValue([]))
    message: the operator touches no finalizer but embedding.milvus.io/collection
    reason: Forbidden
{{- end -}}

{{- define "operator.policy.deployments" -}}
variables:
  - name: new
    expression: dyn(object)
  - name: old
    expression: dyn(oldObject)
  - name: newTemplate
    expression: variables.new.spec.template
  - name: oldTemplate
    expression: variables.old.spec.template
  - name: newAnnotations
    expression: variables.newTemplate.?metadata.?annotations.orValue({})
  - name: oldAnnotations
    expression: variables.oldTemplate.?metadata.?annotations.orValue({})
validations:
  - expression: >-
      variables.new.metadata.all(key, key in ['managedFields', 'resourceVersion', 'generation'] ||
      (key in variables.old.metadata && variables.new.metadata[key] == variables.old.metadata[key])) &&
      variables.old.metadata.all(key, key in variables.new.metadata) &&
      variables.new.spec.all(key, key == 'template' ||
      (key in variables.old.spec && variables.new.spec[key] == variables.old.spec[key])) &&
      variables.old.spec.all(key, key in variables.new.spec)
    message: the operator changes nothing of a Deployment but one annotation of its pod template
    reason: Forbidden
  - expression: >-
      variables.newTemplate.all(key, key == 'metadata' ||
      (key in variables.oldTemplate && variables.newTemplate[key] == variables.oldTemplate[key])) &&
      variables.oldTemplate.all(key, key in variables.newTemplate) &&
      variables.newTemplate.?metadata.orValue({}).all(key, key == 'annotations' ||
      (key in variables.oldTemplate.?metadata.orValue({}) &&
      variables.newTemplate.metadata[key] == variables.oldTemplate.metadata[key])) &&
      variables.oldTemplate.?metadata.orValue({}).all(key, key == 'annotations' ||
      key in variables.newTemplate.?metadata.orValue({}))
    message: the operator changes nothing of a pod template but one annotation
    reason: Forbidden
  - expression: >-
      variables.newAnnotations.all(key, key == 'embedding.milvus.io/config-hash' ||
      (key in variables.oldAnnotations && variables.newAnnotations[key] == variables.oldAnnotations[key])) &&
      variables.oldAnnotations.all(key, key in variables.newAnnotations)
    message: the operator changes no annotation of a pod template but embedding.milvus.io/config-hash, and removes none
    reason: Forbidden
  - expression: >-
      variables.newAnnotations[?'embedding.milvus.io/config-hash'].orValue('0').matches('^[0-9a-z]{1,64}$')
    message: embedding.milvus.io/config-hash is a hash
    reason: Forbidden
{{- end -}}

{{- define "operator.policy.milvuses" -}}
variables:
  - name: new
    expression: dyn(object)
  - name: old
    expression: "oldObject == null ? dyn({}) : dyn(oldObject)"
  - name: newParts
    expression: variables.new.?spec.?components.orValue({})
  - name: oldParts
    expression: variables.old.?spec.?components.orValue({})
  - name: rolled
    expression: "['proxy', 'dataNode', 'standalone']"
validations:
  - expression: request.operation == 'UPDATE'
    message: the operator makes no Milvus resource
    reason: Forbidden
  - expression: >-
      variables.new.metadata.all(key, key in ['managedFields', 'resourceVersion', 'generation'] ||
      (key in variables.old.?metadata.orValue({}) && variables.new.metadata[key] == variables.old.metadata[key])) &&
      variables.old.?metadata.orValue({}).all(key, key in variables.new.metadata) &&
      variables.new.?spec.orValue({}).all(key, key == 'components' ||
      (key in variables.old.?spec.orValue({}) && variables.new.spec[key] == variables.old.spec[key])) &&
      variables.old.?spec.orValue({}).all(key, key == 'components' || key in variables.new.?spec.orValue({}))
    message: the operator changes nothing of a Milvus resource but podAnnotations of proxy, dataNode and standalone
    reason: Forbidden
  - expression: >-
      variables.newParts.all(part, part in variables.rolled ||
      (part in variables.oldParts && variables.newParts[part] == variables.oldParts[part])) &&
      variables.oldParts.all(part, part in variables.rolled || part in variables.newParts) &&
      variables.rolled.all(part,
      variables.newParts[?part].orValue({}).all(key, key == 'podAnnotations' ||
      (key in variables.oldParts[?part].orValue({}) &&
      variables.newParts[part][key] == variables.oldParts[part][key])) &&
      variables.oldParts[?part].orValue({}).all(key, key == 'podAnnotations' ||
      key in variables.newParts[?part].orValue({})))
    message: the operator changes nothing of the components of Milvus but podAnnotations of proxy, dataNode and standalone
    reason: Forbidden
  - expression: >-
      variables.rolled.all(part,
      variables.newParts[?part].?podAnnotations.orValue({}).all(key, key == 'embedding.milvus.io/config-hash' ||
      (key in variables.oldParts[?part].?podAnnotations.orValue({}) &&
      variables.newParts[part].podAnnotations[key] == variables.oldParts[part].podAnnotations[key])) &&
      variables.oldParts[?part].?podAnnotations.orValue({}).all(key, key == 'embedding.milvus.io/config-hash' ||
      key in variables.newParts[?part].?podAnnotations.orValue({})) &&
      variables.newParts[?part].?podAnnotations[?'embedding.milvus.io/config-hash'].orValue('0')
      .matches('^[0-9a-z]{1,64}$'))
    message: the operator changes no podAnnotation but embedding.milvus.io/config-hash, which is a hash
    reason: Forbidden
{{- end -}}
