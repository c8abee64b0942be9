{{/* FRR's container. */}}

{{/* bgpd answers: it is the last but two to start. */}}
{{- define "metallb.frrStartupProbe" -}}
exec:
  command: [/usr/bin/vtysh, -d, bgpd, -c, show version]
{{- end }}

{{/* vtysh asks every daemon, 20 to 50 ms of CPU: one that hangs, which watchfrr cannot end, makes it wait. */}}
{{- define "metallb.frrLivenessProbe" -}}
exec:
  command: [/usr/bin/vtysh, -c, show daemons]
{{- end }}

{{/*
It begins as root, and its daemons become user frr (SETUID, SETGID) with the four that FRR demands whether it uses
them or not: NET_ADMIN, NET_RAW, SYS_ADMIN, NET_BIND_SERVICE. KILL ends them, CHOWN gives them their log buffers.
*/}}
{{- define "metallb.frrSecurityContext" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  add: [CHOWN, KILL, NET_ADMIN, NET_BIND_SERVICE, NET_RAW, SETGID, SETUID, SYS_ADMIN]
readOnlyRootFilesystem: true
seccompProfile: { type: RuntimeDefault }
{{- end }}
