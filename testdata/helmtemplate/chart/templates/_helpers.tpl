{{/* Name of the chart */}}
{{- define "shop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 }}
{{- end }}
{{- define "shop.sidecar" -}}
- name: exporter
  image: prom/statsd-exporter:v0.27.1
  imagePullPolicy: IfNotPresent
  ports:
    - containerPort: 9102
{{- end }}
{{- define "shop.image" -}}
image: {{ printf "%s:%s" .repository .tag | quote }}
{{- end }}
{{- define "shop.theme" -}}
theme:
  image: example/picture:1
  color: red
{{- end }}
