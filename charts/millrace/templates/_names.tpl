{{- /* Names are fixed: media pods find the operator by them, and one namespace has one operator. */ -}}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace
app.kubernetes.io/component: operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "millrace.image" -}}
{{- $values := .root.Values.image -}}
{{ printf "%s/%s:%s" $values.registry .name ($values.tag | default .root.Chart.AppVersion) }}
{{- end -}}
