{{/* Rules of roles that controller and speakers have alike. */}}

{{/* Who asks for metrics over HTTPS, and whether they may. */}}
{{- define "metallb.metricsRules" -}}
{{- if eq .Values.prometheus.scheme "https" -}}
# Who scrapes, and whether they may.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end }}

{{/* What configuration is made of. */}}
{{- define "metallb.configurationRules" -}}
- apiGroups: [metallb.io]
  resources: [ipaddresspools, l2advertisements, bgpadvertisements, bgppeers, bfdprofiles, communities]
  verbs: [list, watch]
# FRR's configuration as raw text.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [bgpextras]
  verbs: [list, watch]
{{- end }}
