{{/* What monitors have in common, and what must not be together. */}}

{{- define "metallb.monitored" -}}
{{- with .Values.prometheus -}}
{{- if and .podMonitor.enabled .serviceMonitor.enabled -}}
{{- fail "Cannot have prometheus.podMonitor.enabled and prometheus.serviceMonitor.enabled: everything would be counted twice, want one of them" -}}
{{- end -}}
{{- if or .podMonitor.enabled .serviceMonitor.enabled -}}true{{- end -}}
{{- end -}}
{{- end }}

{{/* The account of Prometheus as subjects of a binding. */}}
{{- define "metallb.prometheusSubjects" -}}
{{- range $field := list "serviceAccount" "namespace" -}}
{{- if not (index $.Values.prometheus $field) -}}
{{- fail (printf "Cannot let Prometheus scrape without prometheus.%s: want the %s of Prometheus, or prometheus.rbacPrometheus=false and rights made by yourself" $field (eq $field "namespace" | ternary "namespace" "service account")) -}}
{{- end -}}
{{- end -}}
- kind: ServiceAccount
  name: {{ .Values.prometheus.serviceAccount }}
  namespace: {{ .Values.prometheus.namespace }}
{{- end }}

{{- define "metallb.monitorName" -}}
{{- include "metallb.prefixed" (list (index . 0).Values.fullnameOverride (printf "%s-monitor" (index . 1))) }}
{{- end }}

{{/* Of what belongs to no program, as in MetalLB's chart. */}}
{{- define "metallb.monitoringName" -}}
{{- (index . 0).Values.fullnameOverride | default "metallb" | trunc 40 | trimSuffix "-" }}{{ index . 1 }}
{{- end }}

{{/*
How to scrape one program: a list of the root, the monitor's values and its tlsConfig. Labels of samples win over
those of targets: metallb_speaker_announced has a label service of its own.
*/}}
{{- define "metallb.endpoint" -}}
{{- $prometheus := (index . 0).Values.prometheus -}}
{{- $monitor := index . 1 -}}
port: {{ eq $prometheus.scheme "https" | ternary "metricshttps" "metrics" }}
path: /metrics
scheme: {{ $prometheus.scheme }}
honorLabels: true
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- if eq $prometheus.scheme "https" }}
{{- with index . 2 }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
relabelings:
  # The dashboard and alerts name nodes.
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
  {{- with $monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Programs that there are. */}}
{{- define "metallb.programs" -}}
{{- range list "controller" "speaker" }}
{{- if (index $.Values .).enabled }}
- {{ . }}
{{- end }}
{{- end }}
{{- end }}
