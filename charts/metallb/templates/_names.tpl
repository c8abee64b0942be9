{{/* Names of objects: those of MetalLB's manifests, with fullnameOverride and a hyphen before them. */}}
{{- define "metallb.prefixed" -}}
{{- $prefix := index . 0 -}}
{{- $name := index . 1 -}}
{{- if $prefix -}}{{ $prefix | trunc 40 | trimSuffix "-" }}-{{ end -}}{{ $name }}
{{- end }}

{{- define "metallb.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "metallb.controllerName" -}}
{{- include "metallb.prefixed" (list .Values.fullnameOverride "controller") }}
{{- end }}

{{- define "metallb.speakerName" -}}
{{- include "metallb.prefixed" (list .Values.fullnameOverride "speaker") }}
{{- end }}

{{- define "metallb.controllerServiceAccount" -}}
{{- .Values.controller.serviceAccount.name | default (include "metallb.controllerName" .) }}
{{- end }}

{{- define "metallb.speakerServiceAccount" -}}
{{- .Values.speaker.serviceAccount.name | default (include "metallb.speakerName" .) }}
{{- end }}

{{- define "metallb.memberlistSecret" -}}
{{- .Values.speaker.secretName | default (include "metallb.prefixed" (list .Values.fullnameOverride "memberlist")) }}
{{- end }}

{{- define "metallb.excludeL2Name" -}}
{{- include "metallb.prefixed" (list .Values.fullnameOverride "metallb-excludel2") }}
{{- end }}

{{- define "metallb.frrStartupName" -}}
{{- include "metallb.prefixed" (list .Values.fullnameOverride "frr-startup") }}
{{- end }}

{{/* The Lease is the same for all replicas, and its name fixed in the program. */}}
{{- define "metallb.leaseName" -}}
metallb-controller
{{- end }}
