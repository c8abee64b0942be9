{{/* Values that this chart has not, or that contradict each other. Each is a line that says what to do. */}}
{{- define "metallb.refusals" -}}
{{- $v := .Values -}}
{{- $c := $v.controller -}}
{{- $s := $v.speaker -}}
{{- $frrk8s := $v.frrk8s | default dict -}}
{{- if $frrk8s.enabled }}
- frrk8s.enabled: there is no frr-k8s here. Remove it, and speaker.frr.enabled false with it: FRR runs beside each speaker, and BGPPeers work as before
{{- end }}
{{- if $frrk8s.external }}
- frrk8s.external: there is no frr-k8s here. Remove it, and remove the frr-k8s of your own from these nodes: two FRRs in one network disturb each other. What your FRRConfigurations say besides MetalLB's goes into ConfigMap bgpextras
{{- end }}
{{- if $frrk8s.namespace }}
- frrk8s.namespace: there is no frr-k8s here. Remove it
{{- end }}
{{- if $frrk8s.secretPassthrough }}
- frrk8s.secretPassthrough: there is no frr-k8s here. Remove it: speakers read the Secrets of peers themselves
{{- end }}
{{- if index $v "frr-k8s" }}
- frr-k8s: the subchart is not here. Remove it; image and resources of FRR are speaker.frr.image and speaker.frr.resources
{{- end }}
{{- if not $s.frr.enabled }}
- speaker.frr.enabled: FRR is always there, since a speaker without it is never ready. Remove it: without BGPPeers FRR idles
{{- end }}
{{- if $v.configInline }}
- configInline: read by no version since 0.13. Make IPAddressPools, BGPPeers and advertisements of it (config/samples)
{{- end }}
{{- if eq ($c.webhookMode | default "enabled") "onlywebhook" }}
- controller.webhookMode onlywebhook: there is no webhook here, the API server checks objects by their schema. Remove it, or set controller.enabled false if this controller is not to give addresses
{{- end }}
{{- if $s.wanConfig }}
- speaker.wanConfig: not here. Set speaker.memberlist.probeInterval, such as 1s
{{- end }}
{{- if $v.tls.curvePreferences }}
- tls.curvePreferences: not here. Remove it: the curves are those of Node
{{- end }}
{{- if and $v.tls.cipherSuites (ne $v.tls.minVersion "VersionTLS12") }}
- tls.cipherSuites: they are of TLS 1.2. Set tls.minVersion to VersionTLS12 too, or remove them: those of TLS 1.3 cannot be chosen
{{- end }}
{{- range $name, $instead := dict "tlsMinVersion" "tls.minVersion" "tlsCipherSuites" "tls.cipherSuites" }}
{{- if index $c $name }}
- controller.{{ $name }}: MetalLB has moved it. Set {{ $instead }}
{{- end }}
{{- end }}
{{- range $name := list "controllerMetricsTLSSecret" "speakerMetricsTLSSecret" }}
{{- if index $v.prometheus $name }}
- prometheus.{{ $name }}: MetalLB has moved it. Set tls.{{ $name }}
{{- end }}
{{- end }}
{{- range $name, $program := dict "controller" $c "speaker" $s }}
{{- if regexMatch "(^|/)metallb/(controller|speaker)$" $program.image.repository }}
- {{ $name }}.image.repository {{ $program.image.repository }}: that is MetalLB's image. Remove it, or name a copy of metallb-ts/metallb
{{- end }}
{{- if hasPrefix "v0." ($program.image.tag | toString) }}
- {{ $name }}.image.tag {{ $program.image.tag }}: that is a version of MetalLB. Remove it: the chart names the version it goes with
{{- end }}
{{- if and $program.readinessProbe.enabled (ne (int $program.livenessProbe.port) (int $program.readinessProbe.port)) }}
- {{ $name }}.readinessProbe.port {{ $program.readinessProbe.port }}: one port serves both. Set it to that of {{ $name }}.livenessProbe.port, {{ $program.livenessProbe.port }}
{{- end }}
{{- end }}
{{- if and (gt (int $c.replicas) 1) (not $c.leaderElection.enabled) }}
- controller.replicas {{ $c.replicas }} without controller.leaderElection.enabled: they would fight over addresses. Set one replica and strategy Recreate, or leave the election on
{{- end }}
{{- if and (not $s.memberlist.enabled) $s.nodeSelector }}
- speaker.nodeSelector with speaker.memberlist.enabled false: nodes without a speaker would count as alive and own addresses. Remove one of them
{{- end }}
{{- end }}

{{/* MetalLB's values that change nothing here, with the reason, for NOTES.txt. */}}
{{- define "metallb.ignored" -}}
{{- $v := .Values -}}
{{- $s := $v.speaker -}}
{{- if $v.controller.webhookMode }}
- controller.webhookMode: there is no webhook, the API server checks objects by their schema
{{- end }}
{{- if hasKey $v.crds "validationFailurePolicy" }}
- crds.validationFailurePolicy: there is no webhook that could fail
{{- end }}
{{- if hasKey $v "frrk8s" }}
- frrk8s: there is no frr-k8s, FRR runs beside each speaker
{{- end }}
{{- if $s.bgpDebounceTimeout }}
- speaker.bgpDebounceTimeout: each change goes to FRR by itself, there is nothing to collect
{{- end }}
{{- if hasKey $s.frr "metricsPort" }}
- speaker.frr.metricsPort: metrics of BGP and BFD are on the speaker's own port, prometheus.metricsPort
{{- end }}
{{- range $name := list "reloader" "frrMetrics" "initContainers" }}
{{- if hasKey $s $name }}
- speaker.{{ $name }}: there is no such container
{{- end }}
{{- end }}
{{- if hasKey $v.prometheus "rbacProxy" }}
- prometheus.rbacProxy: the programs check who scrapes themselves
{{- end }}
{{- end }}
