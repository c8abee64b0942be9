{{/* What both programs' containers have in common. */}}

{{/* An image: a list of the root and its values. */}}
{{- define "metallb.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
image: {{ printf "%s:%s" $image.repository ($image.tag | default $root.Chart.AppVersion) | quote }}
{{- with $image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{/* Flags of both programs: a list of the root, the values of the program and the name of its TLS Secret. */}}
{{- define "metallb.flags" -}}
{{- $root := index . 0 -}}
{{- $program := index . 1 -}}
{{- $certificate := index . 2 -}}
- --port={{ $root.Values.prometheus.metricsPort }}
- --health-probe-port={{ $program.livenessProbe.port }}
- --log-level={{ $program.logLevel }}
- --metrics-scheme={{ $root.Values.prometheus.scheme }}
{{- if eq $root.Values.prometheus.scheme "https" }}
{{- with $root.Values.tls.minVersion }}
- --tls-min-version={{ . }}
{{- end }}
{{- with $root.Values.tls.cipherSuites }}
- --tls-cipher-suites={{ . }}
{{- end }}
{{- if $certificate }}
- --metrics-cert-dir=/etc/metrics
{{- end }}
{{- end }}
{{- with $root.Values.loadBalancerClass }}
- --lb-class={{ . }}
{{- end }}
{{- end }}

{{/* The container port of /metrics, named as MetalLB names it. */}}
{{- define "metallb.metricsPort" -}}
- name: {{ eq .Values.prometheus.scheme "https" | ternary "metricshttps" "metrics" }}
  containerPort: {{ .Values.prometheus.metricsPort }}
  protocol: TCP
{{- end }}

{{/* Annotations of Pods: the user's, and for a Prometheus that goes by annotations. */}}
{{- define "metallb.scrapeAnnotations" -}}
{{- if .Values.prometheus.scrapeAnnotations }}
prometheus.io/scrape: "true"
prometheus.io/scheme: {{ .Values.prometheus.scheme }}
prometheus.io/port: {{ .Values.prometheus.metricsPort | quote }}
{{- end }}
{{- end }}

{{/* Fields of a probe that the user can set: a list of the probe and of further keys to leave out. */}}
{{- define "metallb.probeTimes" -}}
{{- omit . "enabled" "port" | toYaml }}
{{- end }}
