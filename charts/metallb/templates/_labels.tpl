{{/* Labels of every object. */}}
{{- define "metallb.labels" -}}
app: metallb
app.kubernetes.io/name: {{ include "metallb.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels of what belongs to the controller or to the speakers: a list of the root and its name. */}}
{{- define "metallb.componentLabels" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{ include "metallb.labels" $root }}
app.kubernetes.io/component: {{ $component }}
{{ include "metallb.selector" $component }}
{{- end }}

{{/* What selectors go by, as in MetalLB's manifests: selectors of a workload cannot be changed. */}}
{{- define "metallb.selector" -}}
component: {{ . }}
{{- end }}

{{/* Labels of Pods: ours, then the user's. */}}
{{- define "metallb.podLabels" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $ours := include "metallb.componentLabels" . | fromYaml -}}
{{- $theirs := (index $root.Values $component).labels -}}
{{ merge (dict) $ours $theirs | toYaml }}
{{- end }}

{{- define "metallb.matchLabels" -}}
app: metallb
{{ include "metallb.selector" . }}
{{- end }}
